"""What a stop rule and the controller say: hold, or stop for a reason with evidence.

The table REASONS is the one place that knows what a reason means for the job, the exit code and the reader.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["REASONS", "Decision", "Hold", "Reason", "ReasonRow", "Stop"]


class Reason(enum.StrEnum):
    """Why a load test ended."""

    CURVE_END = "CURVE_END"
    MAX_INVOCATIONS = "MAX_INVOCATIONS"
    LATENCY = "LATENCY"
    FLAT = "FLAT"
    ERRORS = "ERRORS"
    TARGET_DOWN = "TARGET_DOWN"
    CREDENTIALS = "CREDENTIALS"
    LOCAL_LIMIT = "LOCAL_LIMIT"
    CAPACITY = "CAPACITY"
    JOB_DURATION = "JOB_DURATION"
    USER = "USER"
    ENGINE_LOST = "ENGINE_LOST"


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """What follows from a reason. job_status: what the API reports for the test; exit_code: of `loadtest run`;
    sentence: for people.
    """

    job_status: str
    exit_code: int
    sentence: str


REASONS: Mapping[Reason, ReasonRow] = {
    Reason.CURVE_END: ReasonRow("COMPLETED", 0, "the traffic pattern ran to its end"),
    Reason.MAX_INVOCATIONS: ReasonRow("COMPLETED", 0, "the target rate of invocations per minute was reached"),
    Reason.LATENCY: ReasonRow("COMPLETED", 0, "too many requests were over the latency threshold, or failed"),
    Reason.FLAT: ReasonRow("COMPLETED", 0, "more users brought no more invocations"),
    Reason.ERRORS: ReasonRow("FAILED", 1, "more requests failed than the error budget allows"),
    Reason.TARGET_DOWN: ReasonRow("FAILED", 1, "no request succeeded, or none any more"),
    Reason.CREDENTIALS: ReasonRow("FAILED", 1, "AWS refused the credentials of the requests"),
    Reason.LOCAL_LIMIT: ReasonRow("FAILED", 1, "this machine could send no request"),
    Reason.CAPACITY: ReasonRow("COMPLETED", 0, "the search for the capacity was over"),
    Reason.JOB_DURATION: ReasonRow("COMPLETED", 0, "the job's time was over"),
    Reason.USER: ReasonRow("STOPPED", 130, "it was stopped on request"),
    Reason.ENGINE_LOST: ReasonRow("FAILED", 1, "the load generator was lost"),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A stop rule's finding. evidence: JSON values with units in their names."""

    reason: Reason
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """Go on with this many users."""

    users: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Start no new request, drain, end (S8)."""

    reason: Reason
    evidence: Mapping[str, Any] = field(default_factory=dict)
