"""GetScalingConfigurationRecommendation: an autoscaling policy from a benchmark's figures. Pure.

    rate      = invocations per minute that one instance served, as measured
    used      = its CPU utilisation per core at that rate, per cent; 100 if it is not known (it was saturated)
    target    = rate x min(1, TargetCpuUtilizationPerCore / used)          invocations per instance and minute
    capacity  = ceil(expected invocations per minute / target), at least 1

With the default of 50 % and a saturated instance this is half the rate: the safety factor 0.5 of AWS's advice on load
testing for autoscaling. Cooldowns are target tracking's own defaults for endpoint variants, 300 s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.jobs.errors import ApiError, invalid
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.ranking import ranked
from loadtest.jobs.rows import StepRow

__all__ = ["scaling_configuration"]

DEFAULT_TARGET_PERCENT = 50
COOLDOWN_S = 300


def scaling_configuration(params: Mapping[str, Any], steps: Sequence[StepRow], catalogue: Catalogue) -> dict[str, Any]:
    """The operation's answer. Raises ApiError ResourceNotFound or ValidationException."""
    step = _benchmark(params, steps)
    percent = params.get("TargetCpuUtilizationPerCore", DEFAULT_TARGET_PERCENT)
    if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= 100:
        raise invalid("TargetCpuUtilizationPerCore must be a whole number from 1 to 100")
    if "ServerlessConfig" in step.endpoint:
        raise invalid(f"{step.endpoint_name} is serverless: it scales by itself and takes no scaling policy")
    metrics = step.metrics or step.endpoint_metrics
    rate = step.per_instance_per_min
    if not metrics or not rate or rate < 1:
        raise invalid(f"the benchmark of {step.endpoint_name} has no result to base a scaling policy on")
    target = max(1.0, rate * min(1.0, percent / _used_percent(step, catalogue)))
    objective = params.get("ScalingPolicyObjective") or {}
    low, high = objective.get("MinInvocationsPerMinute"), objective.get("MaxInvocationsPerMinute")
    if low is not None and high is not None and low > high:
        raise invalid("MinInvocationsPerMinute must not be more than MaxInvocationsPerMinute")
    min_capacity = _capacity(low, target)
    asked = {
        name: params[name] for name in ("RecommendationId", "EndpointName", "ScalingPolicyObjective") if name in params
    }
    return {
        "InferenceRecommendationsJobName": params["InferenceRecommendationsJobName"],
        **asked,
        "TargetCpuUtilizationPerCore": percent,
        "Metric": {"InvocationsPerInstance": int(rate), "ModelLatency": metrics["ModelLatency"]},
        "DynamicScalingConfiguration": {
            "MinCapacity": min_capacity,
            "MaxCapacity": max(min_capacity, _capacity(metrics["MaxInvocations"] if high is None else high, target)),
            "ScaleInCooldown": COOLDOWN_S,
            "ScaleOutCooldown": COOLDOWN_S,
            "ScalingPolicies": [_policy(target)],
        },
    }


def _benchmark(params: Mapping[str, Any], steps: Sequence[StepRow]) -> StepRow:
    recommendation, endpoint = params.get("RecommendationId"), params.get("EndpointName")
    if (recommendation is None) == (endpoint is None):
        raise invalid("Specify exactly one of RecommendationId and EndpointName")
    if recommendation is not None:
        found = [step for step in ranked(steps) if step.recommendation_id == recommendation]
    else:
        found = [step for step in steps if step.endpoint_name == endpoint]
    if not found:
        what = f"recommendation {recommendation!r}" if endpoint is None else f"benchmarked endpoint {endpoint!r}"
        raise ApiError("ResourceNotFound", f"Could not find {what} in this job")
    return found[0]


def _used_percent(step: StepRow, catalogue: Catalogue) -> float:
    """CPU utilisation per core at the measured rate; 100 if it is not known."""
    cpu_percent = (step.metrics or {}).get("CpuUtilization")
    instance = catalogue.get(step.endpoint.get("InstanceType", ""))
    if not cpu_percent or instance is None:
        return 100.0
    return min(100.0, float(cpu_percent) / instance.vcpu)


def _capacity(per_min: int | None, target: float) -> int:
    return max(1, math.ceil((per_min or 0) / target))


def _policy(target: float) -> dict[str, Any]:
    metric = {"Predefined": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
    return {"TargetTracking": {"MetricSpecification": metric, "TargetValue": float(math.floor(target))}}
