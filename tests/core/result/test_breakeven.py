"""Where serverless and instances cost the same."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.core.result.breakeven import HOURS_A_MONTH, break_evens, per_million_usd


def _entry(per_hour: float | None, per_min: int, each: float | None, **where: Any) -> dict[str, Any]:
    costs = {} if each is None else {"CostPerHour": per_hour, "CostPerInference": each}
    return {"EndpointConfiguration": where, "Metrics": {"MaxInvocations": per_min, **costs}}


def test_below_it_serverless_costs_less_and_above_it_the_instances() -> None:
    serverless = _entry(1.2, 200, 1e-4, ServerlessConfig={"MemorySizeInMB": 2048, "MaxConcurrency": 10})
    instances = _entry(0.2, 1000, 0.2 / 60000, InstanceType="ml.c5.xlarge")
    unpriced = _entry(None, 1000, None, InstanceType="ml.x")
    (found,) = break_evens([unpriced, serverless, instances])
    assert found.per_month == pytest.approx(0.2 * 730 / 1e-4)
    assert found.per_month * 1e-4 == pytest.approx(0.2 * HOURS_A_MONTH)  # both bills are the same there
    assert found.reached
    assert found.capacity_per_month == 1000 * 60 * 730


def test_instances_that_do_not_serve_as_many_never_cost_less() -> None:
    serverless = _entry(1.2, 200, 1e-6, ServerlessConfig={"MemorySizeInMB": 2048, "MaxConcurrency": 10})
    (found,) = break_evens([serverless, _entry(1.0, 10, 1 / 600, InstanceType="ml.c5.xlarge")])
    assert not found.reached


def test_a_million() -> None:
    assert per_million_usd({"CostPerInference": 2e-6}) == pytest.approx(2.0)
    assert per_million_usd({}) is None
