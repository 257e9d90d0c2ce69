"""What a recommendation costs, as the API tells it: the formulas R4, as pure functions.

    CostPerHour      = price x count                                  USD, float32
    CostPerInference = CostPerHour / (MaxInvocations x 60)            USD, float32

    serverless, an estimate because AWS's formula is unpublished:
    CostPerInference = memory in GB x mean time in s x price of a GB second
    CostPerHour      = as many of them as were served in an hour

Rounded to float32 because the API's own are (0.204 is printed as 0.20399999618530273).
Sources: docs/decisions.md; the published result rows, which are test data.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cost_per_hour", "cost_per_inference", "instance_costs", "serverless_costs"]


def instance_costs(price_per_hour_usd: float, instance_count: int, max_invocations_per_min: int) -> dict[str, float]:
    """CostPerHour and CostPerInference of an endpoint on instances."""
    return _both(cost_per_hour(price_per_hour_usd, instance_count), max_invocations_per_min)


def serverless_costs(
    gb_second_usd: float, memory_mb: int, mean_ms: float, max_invocations_per_min: int
) -> dict[str, float]:
    """CostPerHour and CostPerInference of a serverless endpoint. mean_ms: that the model takes."""
    each_usd = gb_second_usd * memory_mb / 1024 * mean_ms / 1000
    return _both(cost_per_hour(each_usd * max_invocations_per_min * 60, 1), max_invocations_per_min)


def cost_per_hour(price_per_hour_usd: float, instance_count: int) -> float:
    """In USD as the nearest float32."""
    return float(np.float32(price_per_hour_usd * instance_count))


def cost_per_inference(cost_per_hour_usd: float, max_invocations_per_min: int) -> float:
    """In USD as the nearest float32. Raises ValueError without invocations."""
    if max_invocations_per_min < 1:
        raise ValueError(f"a cost per inference needs invocations, got {max_invocations_per_min} a minute")
    return float(np.float32(cost_per_hour_usd / (max_invocations_per_min * 60)))


def _both(per_hour_usd: float, max_invocations_per_min: int) -> dict[str, float]:
    return {
        "CostPerHour": per_hour_usd,
        "CostPerInference": cost_per_inference(per_hour_usd, max_invocations_per_min),
    }
