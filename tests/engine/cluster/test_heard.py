"""What a master believes of a worker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.engine.cluster import heard
from loadtest.engine.messages import failure
from loadtest.errors import EngineError, Problem, SpecError, TargetError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_garbage_is_refused_and_nothing_else(data: Any) -> None:
    for hear in (heard.ready, heard.clock_times, lambda told: heard.failure(told, "worker 0")):
        with pytest.raises(ValueError, match=r"its |it "):
            hear(data)


def test_a_workers_problems_arrive_as_they_were() -> None:
    problems = [Problem("payload: a: b.json", "x\ny", "must be a file; no: folder", "give one"), Problem("", "", "no")]
    said = heard.failure(failure(SpecError(problems)), "worker 0 on h")
    assert isinstance(said, SpecError)
    assert said.problems == (
        replace(problems[0], path="worker 0 on h: payload: a: b.json"),
        replace(problems[1], path="worker 0 on h"),
    )
    for kind in (TargetError, EngineError):
        told = heard.failure(failure(kind("a: b")), "worker 0 on h")
        assert type(told) is kind
        assert str(told) == "worker 0 on h: a: b"
    cut = heard.failure(failure(EngineError("x" * 10_000)), "worker 0")
    assert len(str(cut)) < 5_000, "a text that is too long is no reason to call the worker a liar"


def test_a_problem_has_its_four_members_and_nothing_else() -> None:
    whole = {"path": "", "value": "", "rule": "r", "advice": ""}
    for bad in ([], [whole, "r"], [{**whole, "more": ""}], [{"rule": "r"}], [{**whole, "rule": 7}], [whole] * 1001):
        with pytest.raises(ValueError, match="its problems are"):
            heard.failure({"fault": "spec", "problems": bad}, "worker 0")
