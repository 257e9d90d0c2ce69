"""What a master believes of a worker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from engine_kit import plan_of
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.cluster import heard
from loadtest.engine.cluster.choice import EVERYTHING, WorkerChoice
from loadtest.engine.cluster.handshake import is_proof, nonce, proof
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


def test_a_proof_is_of_one_role_one_token_and_one_exchange() -> None:
    theirs, ours = nonce(), nonce()
    shown = proof("token", "master", theirs, ours)
    assert is_proof(shown, "token", "master", theirs, ours)
    assert not is_proof(shown, "other", "master", theirs, ours)
    assert not is_proof(shown, "token", "worker", theirs, ours)
    assert not is_proof(shown, "token", "master", ours, theirs)
    assert not any(is_proof(bad, "token", "master", theirs, ours) for bad in (None, 7, "", "\u00e9", [shown]))


def test_a_worker_decides_what_runs_and_what_is_read(tmp_path: Any) -> None:
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
    (tmp_path / "in" / "folder").mkdir()
    (tmp_path / "in" / "folder" / "b").write_text("x")
    root.check(reads("in/folder"))
    (tmp_path / "in" / "folder" / "link").symlink_to(tmp_path / "out")
    with pytest.raises(SpecError, match="this worker reads no payload there"):
        root.check(reads("in/folder"))
    with pytest.raises(SpecError, match="this worker reads no payload there"):
        EVERYTHING.check(replace(null, payload=PayloadSource("s3://bucket/key")))
    assert WorkerChoice.from_environment(root.environment()) == root
    assert WorkerChoice.from_environment({}) == nothing


def test_a_worker_decides_whose_credentials_sign_and_where_to(tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_text("x")

    def plan(**options: str) -> Any:
        made = plan_of((0.0, 1), end_s=1.0, target="sagemaker:ep")
        return replace(made, target=replace(made.target, options=options))

    nothing = WorkerChoice()
    some = WorkerChoice(("a:B", "c:D"), str(tmp_path), ("load", "test"), ("https://vpce.example", "https://b.example"))
    assert WorkerChoice.from_environment(some.environment()) == some
    foreign = plan(profile="production", endpoint_url="https://u:pw@elsewhere.example", ca_file="/etc/passwd")
    for choice in (nothing, some):
        with pytest.raises(SpecError) as found:
            choice.check(foreign)
        paths = {problem.path for problem in found.value.problems}
        assert paths == {"target.profile", "target.endpoint_url", "target.ca_file"}
        assert "pw" not in str(found.value)
    some.check(plan(profile="load", endpoint_url="https://vpce.example", ca_file=str(tmp_path / "ca.pem")))
    nothing.check(plan(region="eu-west-1", endpoint_url="http://127.0.0.1:8080"))
    EVERYTHING.check(foreign)
