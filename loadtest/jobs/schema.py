"""The store's tables, and how rows and queries become SQL. No connection is used here."""

from __future__ import annotations

import json
from collections.abc import Sequence

from loadtest.jobs.redact import redacted
from loadtest.jobs.rows import JobQuery, JobRow, StepRow
from loadtest.jobs.status import SOURCES, Status

__all__ = [
    "JOB_COLUMNS",
    "SCHEMA",
    "STEP_COLUMNS",
    "job_values",
    "key_of",
    "key_shape",
    "move_of",
    "order_of",
    "step_values",
    "where_of",
]

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    arn TEXT NOT NULL,
    status TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    completed_ms INTEGER,
    failure_reason TEXT,
    model_name TEXT,
    model_package_arn TEXT,
    profile TEXT NOT NULL,
    facts TEXT NOT NULL,
    request TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_creation ON jobs (created_ms, seq);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, seq);
CREATE TABLE IF NOT EXISTS steps (
    job TEXT NOT NULL REFERENCES jobs (name),
    idx INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    failure_reason TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (job, idx)
);
CREATE TABLE IF NOT EXISTS runs (
    job TEXT NOT NULL REFERENCES jobs (name),
    idx INTEGER NOT NULL,
    result BLOB NOT NULL,
    PRIMARY KEY (job, idx)
);
CREATE TABLE IF NOT EXISTS tags (
    job TEXT NOT NULL REFERENCES jobs (name),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (job, key)
);
"""

JOB_COLUMNS = (
    "name",
    "arn",
    "status",
    "created_ms",
    "modified_ms",
    "completed_ms",
    "failure_reason",
    "model_name",
    "model_package_arn",
    "profile",
    "facts",
    "request",
)
STEP_COLUMNS = ("job", "idx", "status", "started_ms", "ended_ms", "failure_reason", "body")

_SORT_COLUMNS = {"Name": "name", "CreationTime": "created_ms", "Status": "status"}

Value = str | int | None


def job_values(job: JobRow) -> tuple[Value, ...]:
    """A job's values in the order of JOB_COLUMNS."""
    return (
        job.name,
        job.arn,
        job.status.value,
        round(job.created_s * 1000),
        round(job.modified_s * 1000),
        None if job.completed_s is None else round(job.completed_s * 1000),
        job.failure_reason and redacted(job.failure_reason),
        job.model_name,
        job.model_package_arn,
        job.profile,
        redacted(json.dumps(job.facts.to_dict())),
        redacted(json.dumps(job.request)),
    )


def step_values(job_name: str, step: StepRow) -> tuple[Value, ...]:
    """A step's values in the order of STEP_COLUMNS."""
    body = {
        "label": step.label,
        "endpoint_name": step.endpoint_name,
        "recommendation_id": step.recommendation_id,
        "existing": step.existing,
        "endpoint": step.endpoint,
        "model": step.model,
        "metrics": step.metrics,
        "endpoint_metrics": step.endpoint_metrics,
        "per_instance_per_min": step.per_instance_per_min,
        "notes": step.notes,
    }
    return (
        job_name,
        step.index,
        step.status.value,
        None if step.started_s is None else round(step.started_s * 1000),
        None if step.ended_s is None else round(step.ended_s * 1000),
        step.failure_reason and redacted(step.failure_reason),
        json.dumps(body),
    )


def move_of(name: str, to: Status, at_ms: int | None, failure_reason: str | None) -> tuple[str, list[Value]]:
    """UPDATE with its values: a job's status, if the table of statuses allows it; none of its times goes back."""
    sources = sorted(SOURCES[to])
    sql = (
        "UPDATE jobs SET status = ?, failure_reason = ?, modified_ms = MAX(modified_ms, ?), "
        "completed_ms = CASE WHEN ? THEN MAX(modified_ms, ?) END "
        f"WHERE name = ? AND status IN ({', '.join('?' * len(sources))})"
    )
    reason = failure_reason and redacted(failure_reason)[:1024]
    return sql, [to, reason, at_ms, to.final, at_ms, name, *sources]


def key_of(query: JobQuery, job: JobRow) -> tuple[str | int, int]:
    """Where a job stands in the query's order: the sorted column, then `seq`."""
    by: dict[str, str | int] = {
        "Name": job.name,
        "CreationTime": round(job.created_s * 1000),
        "Status": job.status.value,
    }
    return by[query.sort_by], job.seq


def key_shape(query: JobQuery) -> tuple[type, ...]:
    """The types of `key_of`."""
    return (int if query.sort_by == "CreationTime" else str), int


def order_of(query: JobQuery) -> str:
    """ORDER BY: total, since `seq` is unique."""
    way = "DESC" if query.descending else "ASC"
    return f"{_SORT_COLUMNS[query.sort_by]} {way}, seq {way}"


def where_of(query: JobQuery, after: Sequence[str | int] | None) -> tuple[str, list[Value]]:
    """WHERE with its values: the filters, and only rows that follow the key `after`."""
    terms: list[tuple[str, Value]] = [
        ("created_ms > ?", _ms(query.created_after_s)),
        ("created_ms < ?", _ms(query.created_before_s)),
        ("modified_ms > ?", _ms(query.modified_after_s)),
        ("modified_ms < ?", _ms(query.modified_before_s)),
        ("instr(name, ?) > 0", query.name_contains or None),
        ("status = ?", query.status and query.status.value),
        ("model_name = ?", query.model_name),
        ("model_package_arn = ?", query.model_package_arn),
    ]
    used = [(sql, value) for sql, value in terms if value is not None]
    conditions = [sql for sql, _ in used]
    values: list[Value] = [value for _, value in used]
    if after is not None:
        column, sign = _SORT_COLUMNS[query.sort_by], "<" if query.descending else ">"
        conditions.append(f"({column}, seq) {sign} (?, ?)")
        values.extend(after)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _ms(time_s: float | None) -> int | None:
    return None if time_s is None else round(time_s * 1000)
