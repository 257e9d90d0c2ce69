"""What a master believes of a worker."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import plan_of
from hypothesis import given
from hypothesis import strategies as st

from loadtest.engine.cluster import heard
from loadtest.engine.cluster.choice import EVERYTHING, WorkerChoice
from loadtest.engine.cluster.handshake import is_proof, nonce, proof
from loadtest.errors import SpecError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_garbage_is_refused_and_nothing_else(data: Any) -> None:
    for hear in (heard.ready, heard.clock_times, heard.failure):
        with pytest.raises(ValueError, match=r"its |it "):
            hear(data)


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
