from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from loadtest.errors import SpecError
from loadtest.jobs.errors import ApiError
from loadtest.jobs.listing import job_query, page_size, step_status
from loadtest.jobs.paging import open_token, seal_token
from loadtest.jobs.rows import JobQuery
from loadtest.jobs.status import Status

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_default_is_newest_first() -> None:
    assert job_query({}) == JobQuery(sort_by="CreationTime", descending=True)
    assert page_size({}) == 10


def test_every_parameter_has_its_place() -> None:
    params = {
        "CreationTimeAfter": 1,
        "CreationTimeBefore": 2.5,
        "LastModifiedTimeAfter": NOON,
        "LastModifiedTimeBefore": 4.0,
        "NameContains": "a-B9",
        "StatusEquals": "STOPPED",
        "SortBy": "Name",
        "SortOrder": "Ascending",
        "MaxResults": 100,
        "ModelNameEquals": "model",
        "ModelPackageVersionArnEquals": "arn",
    }
    assert job_query(params) == JobQuery(
        1, 2.5, NOON.timestamp(), 4.0, "a-B9", Status.STOPPED, "model", "arn", sort_by="Name", descending=False
    )
    assert page_size(params) == 100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CreationTimeAfter", "yesterday"),
        ("CreationTimeBefore", True),
        ("LastModifiedTimeAfter", 1e15),
        ("LastModifiedTimeBefore", []),
        ("NameContains", "under_score"),
        ("NameContains", "x" * 64),
        ("NameContains", 5),
        ("StatusEquals", "completed"),
        ("StatusEquals", ["COMPLETED"]),
        ("SortBy", "Size"),
        ("SortOrder", "Up"),
        ("MaxResults", 0),
        ("MaxResults", 101),
        ("MaxResults", "10"),
        ("MaxResults", True),
        ("MaxResults", 2.0),
        ("ModelNameEquals", "\ud800"),
        ("ModelNameEquals", "m" * 64),
        ("ModelPackageVersionArnEquals", 5),
        ("CreationTimeAfter", float("nan")),
    ],
)
def test_what_is_out_of_bounds_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SpecError) as refused:
        job_query({name: value})
    assert [problem.path for problem in refused.value.problems] == [name]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as refused:
        job_query({"SortBy": "x", "MaxResults": 0, "StatusEquals": ""})
    assert {problem.path for problem in refused.value.problems} == {"SortBy", "MaxResults", "StatusEquals"}


@pytest.mark.parametrize(
    ("params", "status"), [({}, None), ({"Status": "FAILED", "StepType": "BENCHMARK", "MaxResults": 1}, Status.FAILED)]
)
def test_step_filters(params: dict[str, Any], status: Status | None) -> None:
    assert step_status(params) is status


@pytest.mark.parametrize("params", [{"Status": "DONE"}, {"StepType": "TUNING"}, {"MaxResults": 101}])
def test_wrong_step_filters(params: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        step_status(params)


QUERY = {"SortBy": "Name", "CreationTimeAfter": NOON}


@pytest.mark.parametrize("key", [("näme ✓", 7), ("", 0), ("x" * 64, 2**40)])
def test_a_token_comes_back_as_its_key(key: tuple[str, int]) -> None:
    token = seal_token(QUERY, key)
    assert open_token({**QUERY, "NextToken": token, "MaxResults": 5}, token, (str, int)) == key
    assert len(token) <= 8192


@pytest.mark.parametrize("token", ["garbage", "ü", "", "AAAA", "A" * 8192, "a b", "=", "e30="])
def test_garbage_is_no_token(token: str) -> None:
    with pytest.raises(ApiError) as refused:
        open_token(QUERY, token, (str, int))
    assert refused.value.code == "ValidationException"


def test_a_token_of_another_query_or_kind_is_refused() -> None:
    token = seal_token(QUERY, ("a", 1))
    for query, shape in (({}, (str, int)), ({**QUERY, "SortOrder": "Ascending"}, (str, int)), (QUERY, (int, int))):
        with pytest.raises(ApiError):
            open_token(query, token, shape)


@pytest.mark.parametrize("at", [0, 5, 12, 17, -1])
def test_a_changed_token_is_refused(at: int) -> None:
    token = seal_token(QUERY, ("name", 12))
    changed = list(token)
    changed[at] = "A" if changed[at] != "A" else "B"
    with pytest.raises(ApiError):
        open_token(QUERY, "".join(changed), (str, int))
