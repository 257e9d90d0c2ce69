"""Which of a job's tests a result is of, in plain JSON values. No clock, no I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadtest.core.request.spec import LoadTest

__all__ = ["info_of"]


def info_of(test: LoadTest, price_per_hour_usd: float | None = None) -> dict[str, Any]:
    """`RunResult.info` of one of a job's tests: endpoint_name, or instance_type or serverless, and the environment.

    price_per_hour_usd: of one instance; None: not known, then no costs are reported (R4).
    """
    info: dict[str, Any] = {"test": test.index}
    if test.endpoint_name is not None:
        info["endpoint_name"] = test.endpoint_name
    if test.configuration is not None:
        configuration = asdict(test.configuration)
        info.update(
            (name, configuration[name])
            for name in ("instance_type", "serverless", "inference_specification")
            if configuration[name] is not None
        )
    if test.environment:
        info["environment"] = dict(test.environment)
    if price_per_hour_usd is not None:
        info["price_per_hour_usd"] = price_per_hour_usd
    return info
