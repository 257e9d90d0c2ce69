"""The API's costs against its own published results, and what a serverless endpoint is estimated to cost."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from places import JOBS

from loadtest.core.result.cost import cost_per_hour, cost_per_inference, instance_costs, serverless_costs

ROWS: list[dict[str, Any]] = json.loads((JOBS / "observed-results.json").read_text())


def ids(row: dict[str, Any]) -> str:
    return f"{row['instance']} x {row['count']}, {row['max_invocations']}"


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_published_costs(row: dict[str, Any]) -> None:
    # 0.20399999618530273 is printed where the price is 0.204: the API computes in float32.
    price = round(row["cost_per_hour"], 6) / row["count"]
    hour = cost_per_hour(price, row["count"])
    assert hour == float(np.float32(row["cost_per_hour"]))
    if "cost_per_inference" not in row:
        return
    ours, theirs = cost_per_inference(hour, row["max_invocations"]), row["cost_per_inference"]
    digits = row.get("cost_per_inference_digits")
    if digits is not None:
        assert float(f"{ours:.{digits - 1}e}") == theirs
    else:  # float32 has 7.2 digits, and the shortest of the rows prints 7
        assert ours == pytest.approx(theirs, rel=3e-7)


def test_a_serverless_endpoint_costs_by_memory_and_time() -> None:
    """2 GB for 50 ms at 0.00002 USD a GB second: 2 millionths of a dollar, 1,200 times a minute."""
    told = serverless_costs(0.00002, 2048, 50.0, 1200)
    assert told["CostPerInference"] == pytest.approx(2e-6, rel=1e-6)
    assert told["CostPerHour"] == pytest.approx(2e-6 * 1200 * 60, rel=1e-6)


def test_two_instances_cost_twice_as_much_an_hour_and_the_same_an_inference() -> None:
    one, two = instance_costs(0.204, 1, 600), instance_costs(0.204, 2, 1200)
    assert one["CostPerHour"] == 0.20399999618530273
    assert two["CostPerHour"] == pytest.approx(2 * one["CostPerHour"])
    assert two["CostPerInference"] == pytest.approx(one["CostPerInference"])


def test_no_cost_follows_from_nothing() -> None:
    with pytest.raises(ValueError, match="a cost per inference needs invocations"):
        cost_per_inference(0.2, 0)
