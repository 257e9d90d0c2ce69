"""What a master believes of a worker."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from engine_kit import plan_of
from hypothesis import given
from hypothesis import strategies as st
from windows import flat_frame

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.engine.cluster import heard
from loadtest.engine.cluster.choice import EVERYTHING, WorkerChoice
from loadtest.engine.cluster.handshake import is_proof, nonce, proof
from loadtest.errors import SpecError

BOUNDS = heard.WindowBounds(plan_of((0.0, 4), end_s=10.0))


def honest() -> dict[str, Any]:
    recorder = Recorder(threshold_ns=5_000_000)
    for i in range(50):
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, (i + 1) * 1_000_000))
    recorder.record(Outcome(Kind.TIMEOUT, 0, 0, 0, 0, 10**9))
    return recorder.take(flat_frame(3, 3.0, 4.0, 0, 4, 4, 4.0)).to_dict()


def test_an_honest_window_is_believed() -> None:
    assert BOUNDS.window(honest()).to_dict() == honest()


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
        {"users": 10**6},
        {"cpu": math.nan},
        {"p95_ms": math.inf},
        {"active": "4"},
        {"errors": {"timeout": -5}},
        {"errors": {"timeout": 10**15}},
        {"errors": ["timeout"]},
        {"details": {f"d{i}": 1 for i in range(500)}},
        {"over_batches": [[1, 2]]},
        {"over_batches": [[10**15, 0]]},
        {"over_batches": "many"},
        {"latency": "garbage"},
        {"latency": ""},
        {"latency": 7},
        {"level": "first"},
        {"lost_workers": 9},
        {"bytes_in": 10**30},
    ],
    ids=str,
)
def test_a_window_that_cannot_be_is_refused(lie: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"its |it "):
        BOUNDS.window({**honest(), **lie})


@pytest.mark.parametrize("name", sorted(honest()))
def test_a_member_that_is_missing_breaks_nothing(name: str) -> None:
    values = honest()
    del values[name]
    with contextlib.suppress(ValueError):
        BOUNDS.window(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_garbage_is_refused_and_nothing_else(data: Any) -> None:
    for hear in (BOUNDS.window, heard.ready, heard.clock_times, heard.failure):
        with pytest.raises(ValueError, match=r"its |it "):
            hear(data)


@given(st.sampled_from(sorted(honest())), JSON)
def test_any_value_of_any_member_is_refused_or_a_window(name: str, value: Any) -> None:
    with contextlib.suppress(ValueError):
        BOUNDS.window({**honest(), name: value})


def test_a_proof_is_of_one_role_one_token_and_one_exchange() -> None:
    theirs, ours = nonce(), nonce()
    shown = proof("token", "master", theirs, ours)
    assert is_proof(shown, "token", "master", theirs, ours)
    assert not is_proof(shown, "other", "master", theirs, ours)
    assert not is_proof(shown, "token", "worker", theirs, ours)
    assert not is_proof(shown, "token", "master", ours, theirs)
    assert not any(is_proof(bad, "token", "master", theirs, ours) for bad in (None, 7, "", "\u00e9", [shown]))


def test_a_worker_decides_what_runs_and_what_is_read(tmp_path: Any) -> None:
    from dataclasses import replace

    from loadtest.core.traffic.plan import PayloadSource

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    (tmp_path / "out").write_text("x")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    plug_in = plan_of((0.0, 1), end_s=1.0, target="os:system")
    null = plan_of((0.0, 1), end_s=1.0, target="null:")

    def reads(path: str) -> Any:
        return replace(null, payload=PayloadSource(str(tmp_path / path)))

    nothing, root = WorkerChoice(), WorkerChoice(("mine:T",), str(tmp_path / "in"))
    nothing.check(null)
    for choice, plan in ((nothing, plug_in), (nothing, reads("in/a")), (root, plug_in), (root, reads("out"))):
        with pytest.raises(SpecError, match="this worker"):
            choice.check(plan)
    with pytest.raises(SpecError, match="this worker reads no payload there"):
        root.check(reads("in/link"))
    root.check(reads("in/a"))
    root.check(plan_of((0.0, 1), end_s=1.0, target="mine:T"))
    EVERYTHING.check(plug_in)
    EVERYTHING.check(reads("out"))
    assert WorkerChoice.from_environment(root.environment()) == root
    assert WorkerChoice.from_environment({}) == nothing
