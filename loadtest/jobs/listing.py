"""The parameters of the two List operations, checked and turned into queries. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from loadtest.errors import Problem, SpecError
from loadtest.jobs.rows import JobQuery, SortKey
from loadtest.jobs.status import Status

__all__ = ["MAX_RESULTS", "job_query", "page_size", "step_status"]

MAX_RESULTS = 100
DEFAULT_RESULTS = 10
"""Page length without MaxResults; the API names none, SageMaker's other lists give ten."""

_TIMES = ("CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter", "LastModifiedTimeBefore")
_NAME_PART = re.compile(r"[a-zA-Z0-9\-]*")
_SORT_ORDERS = ("Ascending", "Descending")


def job_query(params: Mapping[str, Any]) -> JobQuery:
    """The query that ListInferenceRecommendationsJobs' parameters ask for; newest first if they do not say.

    Raises SpecError with every problem.
    """
    problems: list[Problem] = []
    times = {name: _time(params, name, problems) for name in _TIMES}
    part = params.get("NameContains")
    if part is not None and (not isinstance(part, str) or len(part) > 63 or not _NAME_PART.fullmatch(part)):
        problems.append(Problem("NameContains", repr(part), "must be at most 63 letters, digits and hyphens"))
    model_name = _text(params, "ModelNameEquals", 63, problems)
    model_package_arn = _text(params, "ModelPackageVersionArnEquals", 2048, problems)
    status = _one_of(params, "StatusEquals", tuple(status.value for status in Status), problems)
    sort_by = _one_of(params, "SortBy", get_args(SortKey), problems)
    order = _one_of(params, "SortOrder", _SORT_ORDERS, problems)
    _page_size(params, problems)
    if problems:
        raise SpecError(problems)
    return JobQuery(
        created_after_s=times["CreationTimeAfter"],
        created_before_s=times["CreationTimeBefore"],
        modified_after_s=times["LastModifiedTimeAfter"],
        modified_before_s=times["LastModifiedTimeBefore"],
        name_contains=part,
        status=None if status is None else Status(status),
        model_name=model_name,
        model_package_arn=model_package_arn,
        sort_by=_sort_key(sort_by),
        descending=order != "Ascending",
    )


def step_status(params: Mapping[str, Any]) -> Status | None:
    """The status filter of ListInferenceRecommendationsJobSteps. Raises SpecError with every problem."""
    problems: list[Problem] = []
    status = _one_of(params, "Status", tuple(status.value for status in Status), problems)
    _one_of(params, "StepType", ("BENCHMARK",), problems)
    _page_size(params, problems)
    if problems:
        raise SpecError(problems)
    return None if status is None else Status(status)


def page_size(params: Mapping[str, Any]) -> int:
    """How many items a page has at most; checked by `job_query` and `step_status`."""
    size: int = params.get("MaxResults", DEFAULT_RESULTS)
    return size


def _page_size(params: Mapping[str, Any], problems: list[Problem]) -> None:
    size = page_size(params)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_RESULTS:
        problems.append(Problem("MaxResults", repr(size), f"must be a whole number from 1 to {MAX_RESULTS}"))


def _one_of(params: Mapping[str, Any], name: str, allowed: tuple[str, ...], problems: list[Problem]) -> str | None:
    value = params.get(name)
    if value is None or value in allowed:
        return value
    problems.append(Problem(name, repr(value), f"must be one of {', '.join(allowed)}"))
    return None


def _text(params: Mapping[str, Any], name: str, longest: int, problems: list[Problem]) -> str | None:
    value = params.get(name)
    if value is None or (isinstance(value, str) and len(value) <= longest and value.isascii()):
        return value
    problems.append(Problem(name, repr(value), f"must be at most {longest} ASCII characters"))
    return None


def _time(params: Mapping[str, Any], name: str, problems: list[Problem]) -> float | None:
    value = params.get(name)
    if isinstance(value, datetime):
        return value.timestamp()
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12):
        return value
    problems.append(Problem(name, repr(value), "must be a time in epoch seconds"))
    return None


def _sort_key(value: str | None) -> SortKey:
    keys: tuple[Literal["Name", "CreationTime", "Status"], ...] = get_args(SortKey)
    return next((key for key in keys if key == value), "CreationTime")
