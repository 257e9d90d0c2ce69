"""Rows of the store as the API's structures: Describe, list items, steps. Key names are the API's; times are epoch
seconds. Members that are not known are absent, never null or NaN (R6).

Sources: API_DescribeInferenceRecommendationsJob, API_InferenceRecommendationsJob, API_InferenceRecommendation,
API_InferenceRecommendationsJobStep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.core.result.description import Benchmark, Description, Performance, rendered
from loadtest.jobs.ranking import ranked
from loadtest.jobs.rows import JobRow, StepRow
from loadtest.jobs.status import Status

__all__ = ["described", "list_item", "step_item"]


def described(job: JobRow, steps: Sequence[StepRow]) -> dict[str, Any]:
    """DescribeInferenceRecommendationsJob's answer. Results appear when the job has ended, however it did (R8)."""
    shown = steps if job.status.final else ()
    return rendered(
        Description(
            name=job.name,
            arn=job.arn,
            status=job.status.value,
            request=job.request,
            created_s=job.created_s,
            modified_s=job.modified_s,
            completed_s=job.completed_s,
            failure_reason=job.failure_reason,
            recommendations=[
                Benchmark(step.recommendation_id, step.metrics, step.endpoint, step.model, step.started_s, step.ended_s)
                for step in ranked(shown)
            ],
            performances=[
                Performance(step.endpoint_name, step.endpoint_metrics)
                for step in shown
                if step.endpoint_metrics is not None
            ],
        )
    )


def list_item(job: JobRow) -> dict[str, Any]:
    """One entry of InferenceRecommendationsJobs; JobDescription is required there, so an absent one is empty."""
    request = job.request
    return _present(
        JobName=job.name,
        JobDescription=request.get("JobDescription", ""),
        JobType=request["JobType"],
        JobArn=job.arn,
        Status=job.status.value,
        CreationTime=job.created_s,
        CompletionTime=job.completed_s,
        RoleArn=request["RoleArn"],
        LastModifiedTime=job.modified_s,
        FailureReason=job.failure_reason,
        ModelName=job.model_name,
        SamplePayloadUrl=job.facts.sample_payload_url,
        ModelPackageVersionArn=job.model_package_arn,
    )


def step_item(job_name: str, step: StepRow) -> dict[str, Any]:
    """One entry of Steps. Its only text says why a benchmark failed or was not run; of one that was, what its figures
    must be read with.
    """
    note = f"Note: {'; '.join(step.notes)}" if step.notes else None
    benchmark = _present(
        Metrics=step.metrics,
        EndpointMetrics=step.endpoint_metrics,
        EndpointConfiguration=step.endpoint,
        FailureReason=step.failure_reason or note,
        InvocationStartTime=step.started_s,
        InvocationEndTime=step.ended_s if step.status is not Status.IN_PROGRESS else None,
    )
    benchmark["ModelConfiguration"] = dict(step.model)
    return {"StepType": "BENCHMARK", "JobName": job_name, "Status": step.status.value, "InferenceBenchmark": benchmark}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
