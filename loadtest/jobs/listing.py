"""The parameters of the two List operations, checked and turned into queries. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import Findings
from loadtest.jobs.rows import JobQuery, SortKey
from loadtest.jobs.status import Status

__all__ = ["MAX_RESULTS", "job_query", "page_size", "step_status"]

MAX_RESULTS = 100
DEFAULT_RESULTS = 10
"""Page length without MaxResults; the API names none, SageMaker's other lists give ten."""

_TIMES = ("CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter", "LastModifiedTimeBefore")
_TIME = Bound("number", -1e12, 1e12, optional=True, noun="a time in epoch seconds")
_PAGE = Bound("whole", 1, MAX_RESULTS)
_NAME_PART = re.compile(r"[a-zA-Z0-9\-]{0,63}")


def _ascii(longest: int) -> Bound:
    return Bound(high=longest, allowed=str.isascii, optional=True, noun=f"at most {longest} ASCII characters")


def _one_of(*values: str) -> Bound:
    return Bound(choices=values, optional=True)


_JOB_BOUNDS: Mapping[str, Bound] = {
    **dict.fromkeys(_TIMES, _TIME),
    "NameContains": Bound(
        allowed=lambda text: _NAME_PART.fullmatch(text) is not None,
        optional=True,
        noun="at most 63 letters, digits and hyphens",
    ),
    "ModelNameEquals": _ascii(63),
    "ModelPackageVersionArnEquals": _ascii(2048),
    "StatusEquals": _one_of(*(status.value for status in Status)),
    "SortBy": _one_of(*get_args(SortKey)),
    "SortOrder": _one_of("Ascending", "Descending"),
    "MaxResults": _PAGE,
}
_STEP_BOUNDS: Mapping[str, Bound] = {
    "Status": _one_of(*(status.value for status in Status)),
    "StepType": _one_of("BENCHMARK"),
    "MaxResults": _PAGE,
}


def job_query(params: Mapping[str, Any]) -> JobQuery:
    """The query that ListInferenceRecommendationsJobs' parameters ask for; newest first if they do not say.

    Raises SpecError with every problem.
    """
    values = _checked(params, _JOB_BOUNDS)
    times = {name: _epoch_s(values[name]) for name in _TIMES}
    status = values["StatusEquals"]
    return JobQuery(
        created_after_s=times["CreationTimeAfter"],
        created_before_s=times["CreationTimeBefore"],
        modified_after_s=times["LastModifiedTimeAfter"],
        modified_before_s=times["LastModifiedTimeBefore"],
        name_contains=values["NameContains"],
        status=None if status is None else Status(status),
        model_name=values["ModelNameEquals"],
        model_package_arn=values["ModelPackageVersionArnEquals"],
        sort_by=values["SortBy"] or "CreationTime",
        descending=values["SortOrder"] != "Ascending",
    )


def step_status(params: Mapping[str, Any]) -> Status | None:
    """The status filter of ListInferenceRecommendationsJobSteps. Raises SpecError with every problem."""
    status = _checked(params, _STEP_BOUNDS)["Status"]
    return None if status is None else Status(status)


def page_size(params: Mapping[str, Any]) -> int:
    """How many items a page has at most; checked by `job_query` and `step_status`."""
    size: int = params.get("MaxResults", DEFAULT_RESULTS)
    return size


def _checked(params: Mapping[str, Any], bounds: Mapping[str, Bound]) -> dict[str, Any]:
    findings = Findings()
    for name, bound in bounds.items():
        value = params.get(name)
        # A client's library makes datetimes of times.
        if not (name in _TIMES and isinstance(value, datetime)):
            findings.check((name,), DEFAULT_RESULTS if name == "MaxResults" and name not in params else value, bound)
    findings.raise_errors()
    return {name: params.get(name) for name in bounds}


def _epoch_s(value: float | datetime | None) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else value
