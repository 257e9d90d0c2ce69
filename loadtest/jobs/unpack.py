"""The store's rows as values again. Raises ValueError, TypeError or LookupError for what nobody here has written."""

from __future__ import annotations

import json
import sqlite3

from loadtest.jobs.models import ModelFacts
from loadtest.jobs.rows import JobRow, StepRow
from loadtest.jobs.status import Status

__all__ = ["job_of", "step_of"]


def job_of(row: sqlite3.Row) -> JobRow:
    """A row of the table jobs."""
    request = json.loads(row["request"])
    if not isinstance(request, dict) or not isinstance(request["InputConfig"], dict):
        raise ValueError("its request is none")
    return JobRow(
        name=row["name"],
        arn=row["arn"],
        request=request,
        profile=row["profile"],
        facts=ModelFacts.from_dict(json.loads(row["facts"])),
        created_s=row["created_ms"] / 1000,
        modified_s=row["modified_ms"] / 1000,
        status=Status(row["status"]),
        completed_s=_s(row["completed_ms"]),
        failure_reason=row["failure_reason"],
        seq=row["seq"],
    )


def step_of(row: sqlite3.Row) -> StepRow:
    """A row of the table steps."""
    body = json.loads(row["body"])
    return StepRow(
        index=row["idx"],
        status=Status(row["status"]),
        started_s=_s(row["started_ms"]),
        ended_s=_s(row["ended_ms"]),
        failure_reason=row["failure_reason"],
        **{**body, "notes": tuple(body.get("notes", ()))},
    )


def _s(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000
