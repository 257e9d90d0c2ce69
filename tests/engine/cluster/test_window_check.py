"""What a master believes of a window that a worker tells of, by itself."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from engine_kit import plan_of
from hypothesis import given
from hypothesis import strategies as st
from told_windows import honest
from windows import flat_frame

from loadtest.core.measure.outcome import Kind, Opening, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.engine.cluster.window_check import WindowBounds

PLAN = plan_of((0.0, 4), end_s=10.0, target="null:", window_s=1.0)
BOUNDS = WindowBounds(PLAN)


def test_an_honest_window_is_believed() -> None:
    assert BOUNDS.window(honest()).to_dict() == honest()
    drawn = {**honest(), "requests": ((0, 1_000, -1), (7, -1, 5))}
    assert BOUNDS.window(drawn).to_dict() == drawn


@pytest.mark.parametrize("latency_ns", [1, 400, 1_499, 2_500, 999_999, 77_777_777, 10**11])
def test_honest_figures_agree_at_any_latency(latency_ns: int) -> None:
    assert BOUNDS.window(honest(latency_ns=latency_ns)).counts.ok == 50


@pytest.mark.parametrize(
    "lie",
    [
        {"ok": 5 * 10**15},
        {"ok": 49},
        {"ok": -1},
        {"ok": True},
        {"ok": "50"},
        {"ok": None},
        {"index": 10**12},
        {"index": -1},
        {"start_s": math.nan},
        {"end_s": math.inf},
        {"end_s": 1e9},
        {"end_s": 2.0},
        {"end_s": 3.0},
        {"users": 10**6},
        {"running": 5},
        {"cpu": math.nan},
        {"cpu": -0.1},
        {"cpu": 1e9},
        {"steal": 2.0},
        {"loop_lag_s": -1.0},
        {"clock_step_s": math.inf},
        {"p95_ms": math.inf},
        {"p95_ms": -1.0},
        {"max_ms": -1.0},
        {"p95_ms": 1.0},
        {"p95_ms": None},
        {"max_ms": 1.0},
        {"max_ms": 1e6},
        {"model_p95_ms": 3.0},
        {"latency_sum_s": -1.0},
        {"latency_sum_s": 1e-3},
        {"latency_sum_s": 1e6},
        {"active": "4"},
        {"active": 1e12},
        {"in_flight": -4.0},
        {"errors": {"timeout": -5}},
        {"errors": {"timeout": 10**15}},
        {"errors": {"timeout": 2}},
        {"errors": {"bad luck": 1}},
        {"errors": {"ok": 1}},
        {"errors": ["timeout"]},
        {"details": {f"d{i}": 1 for i in range(500)}},
        {"details": {}},
        {"over": 52},
        {"over": 10},
        {"over_batches": [[1, 2]]},
        {"over_batches": [[51, 1]]},
        {"over_batches": [[10**15, 0]]},
        {"over_batches": "many"},
        {"very_late": 1},
        {"connects": 1},
        {"reconnects": 1},
        {"dead_addresses": {"a": -1}},
        {"connect_causes": 7},
        {"latency": "garbage"},
        {"latency": ""},
        {"latency": 7},
        {"level": "first"},
        {"level": 1},
        {"level": 7},
        {"lost_workers": 9},
        {"bytes_in": 10**30},
        {"mean_ms": 1.0},
        {"requests": "all"},
        {"requests": [[0, 1]]},
        {"requests": [[0, 1, 10**30]]},
        {"requests": [[0, 1, 1]] * 2000},
    ],
    ids=str,
)
def test_a_window_that_cannot_be_is_refused(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"its |it "):
        BOUNDS.window({**honest(), **lie})


@pytest.mark.parametrize("name", sorted(honest()))
def test_a_member_that_is_missing_is_named(name: str) -> None:
    values = honest()
    del values[name]
    with pytest.raises(ValueError, match=name):
        BOUNDS.window(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_garbage_is_refused_and_nothing_else(data: Any) -> None:
    with pytest.raises(ValueError, match=r"its |it "):
        BOUNDS.window(data)


@given(st.sampled_from(sorted(honest())), JSON)
def test_any_value_of_any_member_is_refused_or_a_window(name: str, value: Any) -> None:
    with contextlib.suppress(ValueError):
        BOUNDS.window({**honest(), name: value})


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Kind),
    st.sampled_from([0, 200, 503]),
    st.integers(0, 10**6),
    st.just(0),
    st.integers(0, 10**9),
    st.integers(-(10**9), 10**9) | st.integers(0, 4 * 10**12),
    st.none() | st.integers(0, 10**7),
    st.text(max_size=20),
    st.booleans(),
    st.none() | st.lists(st.integers(0, 10**9), max_size=3).map(tuple),
    st.none()
    | st.builds(Opening, *[st.integers(0, 10**9)] * 3, st.just(("1:2 refused",)), st.booleans(), st.just("x")),
)


@given(st.lists(OUTCOMES, max_size=60), st.booleans())
def test_whatever_a_recorder_saw_is_believed(outcomes: list[Outcome], open_loop: bool) -> None:
    recorder = Recorder(threshold_ns=5_000_000)
    for outcome in outcomes:
        if open_loop:
            recorder.record_response(outcome, outcome.done_ns + 1_000)
        else:
            recorder.record(outcome)
    told = recorder.take(flat_frame(3, 3.0, 4.0, 0, 4, 4, 4.0)).to_dict()
    assert BOUNDS.window(json.loads(json.dumps(told))).to_dict() == told


def test_a_wall_clock_that_was_set_back_is_no_lie() -> None:
    """Latencies below 0 count as 1 us, and are counted."""
    recorder = Recorder()
    for latency_ns in (-5_000_000, -1, 4_000):
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, latency_ns))
    told = recorder.take(flat_frame(3, 3.0, 4.0, 0, 4, 4, 4.0)).to_dict()
    assert told["latency_sum_s"] < 0
    BOUNDS.window(told)
    for latency_ns in (-5_000_000, -1):
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, latency_ns))
    told = recorder.take(flat_frame(3, 3.0, 4.0, 0, 4, 4, 4.0)).to_dict()
    assert told["p95_ms"] < 0
    BOUNDS.window(told)
