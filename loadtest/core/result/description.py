"""DescribeInferenceRecommendationsJob's answer from values, rendered here alone: for reports and for the emulator.

AWS's names and shape. Times are epoch seconds; what is not known is None here and absent there, never null or NaN (R6).
Sources: API_DescribeInferenceRecommendationsJob, API_InferenceRecommendation, API_RecommendationMetrics,
API_InferenceMetrics. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Benchmark",
    "Description",
    "Performance",
    "hardware",
    "inference_metrics",
    "model_configuration",
    "recommendation_metrics",
    "rendered",
    "whole_ms",
]

MAX_PERFORMANCES = 1  # items of EndpointPerformances (service model)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One entry of InferenceRecommendations. endpoint, model: EndpointConfiguration and ModelConfiguration."""

    recommendation_id: str
    metrics: Mapping[str, Any] | None
    endpoint: Mapping[str, Any]
    model: Mapping[str, Any]
    started_s: float | None = None
    ended_s: float | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """One entry of EndpointPerformances: what an existing endpoint does as it stands."""

    endpoint_name: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Description:
    """A job. request: as received. own: what is no part of the API and stands under a name of its own."""

    name: str
    arn: str
    status: str
    request: Mapping[str, Any]
    created_s: float
    modified_s: float
    completed_s: float | None = None
    failure_reason: str | None = None
    recommendations: Sequence[Benchmark] = ()
    performances: Sequence[Performance] = ()
    own: Mapping[str, Any] | None = None


def rendered(job: Description) -> dict[str, Any]:
    """The answer."""
    request = job.request
    return _present(
        JobName=job.name,
        JobType=request["JobType"],
        RoleArn=request["RoleArn"],
        InputConfig=request["InputConfig"],
        JobDescription=request.get("JobDescription"),
        StoppingConditions=request.get("StoppingConditions"),
        JobArn=job.arn,
        Status=job.status,
        CreationTime=job.created_s,
        LastModifiedTime=job.modified_s,
        CompletionTime=job.completed_s,
        FailureReason=job.failure_reason,
        InferenceRecommendations=[_recommendation(each) for each in job.recommendations] or None,
        Loadtest=job.own,
        EndpointPerformances=[_performance(each) for each in job.performances[:MAX_PERFORMANCES]] or None,
    )


def recommendation_metrics(
    max_invocations_per_min: int, latency_ms: float | None, costs: Mapping[str, float]
) -> dict[str, Any]:
    """RecommendationMetrics. costs: CostPerHour and CostPerInference, empty without a price (R4)."""
    latency = {} if latency_ms is None else {"ModelLatency": whole_ms(latency_ms)}
    return {"MaxInvocations": max_invocations_per_min, **latency, **costs}


def inference_metrics(per_min: float, latency_ms: float) -> dict[str, int]:
    """InferenceMetrics of an existing endpoint, which has no instances to count."""
    return {"MaxInvocations": int(per_min), "ModelLatency": whole_ms(latency_ms)}


def hardware(instance_type: str | None, serverless: tuple[int, int] | None, count: int | None = None) -> dict[str, Any]:
    """The members of EndpointConfiguration that say on what. serverless: (memory in MB, concurrency); count: None: not
    known yet."""
    if serverless is not None:
        memory_mb, concurrency = serverless
        return {"ServerlessConfig": {"MemorySizeInMB": memory_mb, "MaxConcurrency": concurrency}}
    return _present(InitialInstanceCount=count, InstanceType=instance_type)


def model_configuration(environment: Mapping[str, str], inference_specification: str | None) -> dict[str, Any]:
    """ModelConfiguration. environment: names and values that the test set."""
    parameters = [{"Key": key, "ValueType": "string", "Value": value} for key, value in environment.items()]
    return _present(EnvironmentParameters=parameters, InferenceSpecificationName=inference_specification)


def whole_ms(latency_ms: float) -> int:
    """ModelLatency is an integer: rounded up, so that it is never better than measured; a met threshold stays met."""
    return math.ceil(round(latency_ms, 6))


def _recommendation(benchmark: Benchmark) -> dict[str, Any]:
    return _present(
        RecommendationId=benchmark.recommendation_id,
        InvocationStartTime=benchmark.started_s,
        InvocationEndTime=benchmark.ended_s,
        Metrics=None if benchmark.metrics is None else dict(benchmark.metrics),
        EndpointConfiguration=dict(benchmark.endpoint),
        ModelConfiguration=dict(benchmark.model),
    )


def _performance(performance: Performance) -> dict[str, Any]:
    return {"Metrics": dict(performance.metrics), "EndpointInfo": {"EndpointName": performance.endpoint_name}}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
