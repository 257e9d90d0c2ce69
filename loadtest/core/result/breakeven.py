"""Serverless against instances: at how many invocations a month both cost the same. Pure.

    N = CostPerHour x 730 / serverless CostPerInference        invocations a month, 730 hours

Instances cost the same whatever they serve, serverless by the invocation: below N serverless is cheaper, above it the
instances are, as far as they reach: they serve MaxInvocations x 60 x 730 a month. If N is beyond that, serverless is
cheaper at any rate that they serve. Not in it: data processing of serverless, provisioned concurrency, autoscaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["HOURS_A_MONTH", "BreakEven", "break_evens", "per_million_usd"]

HOURS_A_MONTH = 730  # as AWS's own calculator has it: 8,760 hours of a year / 12


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where a serverless endpoint and instances cost the same.

    serverless, instances: entries of InferenceRecommendations. per_month: invocations at which both cost the same.

    capacity_per_month: what the instances serve at their MaxInvocations.
    """

    serverless: Mapping[str, Any]
    instances: Mapping[str, Any]
    per_month: float
    capacity_per_month: float

    @property
    def reached(self) -> bool:
        """The instances serve as many; else serverless is cheaper at any rate that they serve."""
        return self.per_month <= self.capacity_per_month


def break_evens(recommendations: Sequence[Mapping[str, Any]]) -> Iterator[BreakEven]:
    """Of every serverless recommendation against every one of instances, where both have their price."""
    priced = [each for each in recommendations if each["Metrics"].get("CostPerInference")]
    for serverless in priced:
        if "ServerlessConfig" not in serverless["EndpointConfiguration"]:
            continue
        for instances in priced:
            if "ServerlessConfig" in instances["EndpointConfiguration"]:
                continue
            metrics = instances["Metrics"]
            per_month = metrics["CostPerHour"] * HOURS_A_MONTH / serverless["Metrics"]["CostPerInference"]
            yield BreakEven(serverless, instances, per_month, metrics["MaxInvocations"] * 60.0 * HOURS_A_MONTH)


def per_million_usd(metrics: Mapping[str, Any]) -> float | None:
    """USD for a million invocations at MaxInvocations; None: there is no price."""
    each = metrics.get("CostPerInference")
    return None if each is None else 1e6 * each
