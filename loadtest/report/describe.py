"""`describe.json`: what DescribeInferenceRecommendationsJob would answer for a job with these tests.

AWS's names and shape, nothing added and nothing left over. What is not known (utilisation, a missing price) is left
out, never invented (R4, R6). A recommendation needs a rate that held the conditions; without one there is none.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.result.cost import instance_costs
from loadtest.core.result.description import (
    Benchmark,
    Description,
    Performance,
    hardware,
    inference_metrics,
    model_configuration,
    recommendation_metrics,
    rendered,
)
from loadtest.core.result.metrics import (
    initial_instance_count,
    max_invocations_per_min,
    sure_per_min,
)
from loadtest.core.result.result import RunResult

__all__ = ["describe"]

ACCOUNT, REGION = "000000000000", "us-east-1"  # of a job that never was in an account
NO_REQUEST = {"JobType": "Advanced", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none", "InputConfig": {}}
MAX_REASON = 1024  # FailureReason
MAX_RECOMMENDATIONS = 10
WORD = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


def describe(results: Sequence[RunResult], created_at: float) -> dict[str, Any]:
    """The response for a job whose tests gave `results` (at least one, of the same job).

    created_at: epoch seconds. A test in virtual time is taken to have begun then.
    """
    first = results[0]
    job = first.job or {}
    name = str(job.get("JobName") or "loadtest")
    ended_at = max(_started(result, created_at) + result.totals.length_s for result in results)
    status = _status(results)
    usable = [result for result in results if result.best is not None and result.best.per_min >= 1]
    unused = first.info.get("not_used")
    return rendered(
        Description(
            name=name,
            arn=_arn(job, name),
            status=status,
            request={**NO_REQUEST, **{member: value for member, value in job.items() if value is not None}},
            created_s=created_at,
            modified_s=ended_at,
            completed_s=ended_at,
            failure_reason=_failure(results)[:MAX_REASON] if status == "FAILED" else None,
            recommendations=_recommendations(usable, name, created_at),
            performances=list(_performances(usable)),
            # Not of the API: as in a job file, what is ours stands under a name of its own.
            own={"NotUsed": unused} if unused else None,
        )
    )


def _status(results: Sequence[RunResult]) -> str:
    """A test that failed does not fail the job while another did not (S9); a stopped one stops it."""
    statuses = {REASONS[result.reason].job_status for result in results}
    if "STOPPED" in statuses:
        return "STOPPED"
    return "FAILED" if statuses == {"FAILED"} else "COMPLETED"


def _failure(results: Sequence[RunResult]) -> str:
    texts = dict.fromkeys(REASONS[result.reason].sentence for result in results)
    return "Load test failed: " + "; ".join(texts)


def _arn(job: Mapping[str, Any], name: str) -> str:
    """Partition and account are the role's; the region, which no request names, is the model package's or a default."""
    partition, account, region = "aws", ACCOUNT, REGION
    role = str(job.get("RoleArn", "")).split(":")
    if len(role) > 4 and role[0] == "arn":
        partition, account = role[1], role[4] or ACCOUNT
    inputs = job.get("InputConfig")
    package = str(inputs.get("ModelPackageVersionArn", "") if isinstance(inputs, Mapping) else "").split(":")
    if len(package) > 3:
        region = package[3]
    return f"arn:{partition}:sagemaker:{region}:{account}:inference-recommendations-job/{name}"


def _started(result: RunResult, created_at: float) -> float:
    return created_at if result.started_at is None else result.started_at


def _endpoint(result: RunResult) -> str | None:
    """The existing endpoint that was tested: what `info` says, else the job's if it names nothing to be configured."""
    if result.info.get("endpoint_name"):
        return str(result.info["endpoint_name"])
    inputs = (result.job or {}).get("InputConfig") or {}
    if inputs.get("Endpoints") and not inputs.get("EndpointConfigurations"):
        return str(inputs["Endpoints"][0]["EndpointName"])
    return None


def _recommendations(results: Sequence[RunResult], name: str, created_at: float) -> list[Benchmark]:
    """The most expensive inference first, the cheapest last (R7); those of unknown cost before all."""
    found = [_recommendation(result, name, created_at) for result in results if _endpoint(result) is None]
    found.sort(key=lambda each: -(each.metrics or {}).get("CostPerInference", float("inf")))
    return found[-MAX_RECOMMENDATIONS:]


def _recommendation(result: RunResult, name: str, created_at: float) -> Benchmark:
    started_at = _started(result, created_at)
    seed = f"{name} {result.label} {result.plan.digest()} {started_at}".encode()
    endpoint = f"sm-epc-{uuid.UUID(bytes=hashlib.sha256(seed).digest()[:16], version=4)}"
    info = result.info
    metrics, count = _metrics(result)
    serverless = info.get("serverless")
    sizes = None if serverless is None else (serverless["memory_mb"], serverless["max_concurrency"])
    return Benchmark(
        recommendation_id=f"{name}/{_word(seed)}",
        metrics=metrics,
        endpoint={
            "EndpointName": endpoint,
            "VariantName": endpoint,
            **hardware(info.get("instance_type"), sizes, count),
        },
        model=model_configuration(info.get("environment", {}), info.get("inference_specification")),
        started_s=started_at,
        ended_s=started_at + result.totals.length_s,
    )


def _word(seed: bytes) -> str:
    """Eight word characters that follow from the test, so that describing it twice names it the same."""
    return "".join(WORD[byte % len(WORD)] for byte in hashlib.sha256(seed + b" id").digest()[:8])


def _metrics(result: RunResult) -> tuple[dict[str, Any], int]:
    """(RecommendationMetrics, InitialInstanceCount) by R2 to R5."""
    assert result.best is not None
    target = None if (result.job or {}).get("JobType") == "Default" else result.plan.stop.max_invocations_per_min
    reached = target if result.reason is Reason.MAX_INVOCATIONS else None
    count = initial_instance_count(sure_per_min(result.best, reached), target)
    per_min = max_invocations_per_min(result.best.per_min, count)
    price = result.info.get("price_per_hour_usd")
    costs = {} if price is None else instance_costs(price, count, per_min)
    return recommendation_metrics(per_min, result.model_latency_ms, costs), count


def _performances(results: Sequence[RunResult]) -> Iterator[Performance]:
    """Of existing endpoints; one whose latency nobody knows has none."""
    for result in results:
        name, latency_ms = _endpoint(result), result.model_latency_ms
        if name is not None and result.best is not None and latency_ms is not None:
            yield Performance(name, inference_metrics(result.best.per_min, latency_ms))
