"""What the store keeps of a job and of its steps: values, with times in epoch seconds to the millisecond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from loadtest.jobs.models import ModelFacts
from loadtest.jobs.status import Status

__all__ = ["JobQuery", "JobRow", "SortKey", "StepRow", "Tag"]

SortKey = Literal["Name", "CreationTime", "Status"]
Tag = tuple[str, str]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job.

    seq: rises with each job, the tie breaker of every order; 0 before it is stored.
    request: the request as received. profile: "aws" or "relaxed", how it was checked. facts: of its model.
    completed_s, failure_reason: None until there is one.
    created_s <= modified_s, which is completed_s of a job that has ended: epoch seconds of the job's own clock.
    """

    name: str
    arn: str
    request: Mapping[str, Any]
    profile: str
    facts: ModelFacts
    created_s: float
    modified_s: float
    status: Status = Status.PENDING
    completed_s: float | None = None
    failure_reason: str | None = None
    seq: int = 0

    @property
    def model_name(self) -> str | None:
        found: str | None = self.request["InputConfig"].get("ModelName")
        return found

    @property
    def model_package_arn(self) -> str | None:
        found: str | None = self.request["InputConfig"].get("ModelPackageVersionArn")
        return found


@dataclass(frozen=True, slots=True)
class StepRow:
    """One test of a job.

    index: its place in the job, from 0. label: for people (`ml.c5.xlarge OMP_NUM_THREADS=2`).
    endpoint_name: of the endpoint it tests. recommendation_id: what its result is known by.
    endpoint, model: EndpointConfiguration and ModelConfiguration as the API has them.
    metrics: RecommendationMetrics; endpoint_metrics: InferenceMetrics, of an existing endpoint. None: no result.
    per_instance_per_min: the rate that one instance served; None: no result.
    notes: what its figures must be read with: what was not applied, what is an estimate.
    """

    index: int
    label: str
    endpoint_name: str
    recommendation_id: str
    existing: bool = False
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.PENDING
    started_s: float | None = None
    ended_s: float | None = None
    failure_reason: str | None = None
    metrics: Mapping[str, Any] | None = None
    endpoint_metrics: Mapping[str, Any] | None = None
    per_instance_per_min: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs, in which order. None: any. Times in epoch seconds, both ends exclusive."""

    created_after_s: float | None = None
    created_before_s: float | None = None
    modified_after_s: float | None = None
    modified_before_s: float | None = None
    name_contains: str | None = None
    status: Status | None = None
    model_name: str | None = None
    model_package_arn: str | None = None
    sort_by: SortKey = "CreationTime"
    descending: bool = True
