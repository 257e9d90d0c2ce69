"""What a worker lets a master have run, read and sign here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from engine_kit import plan_of

from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.cluster.choice import EVERYTHING, WorkerChoice
from loadtest.errors import SpecError


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
    there = replace(null, payload=PayloadSource("s3://bucket/in/key"))
    with pytest.raises(SpecError, match="start it with --allow-payload-url s3://bucket/in/key"):
        root.check(there)
    EVERYTHING.check(there)
    fetching = WorkerChoice(payload_urls=("s3://bucket/in", "https://host/a"))
    fetching.check(there)
    signed = replace(null, payload=PayloadSource("https://elsewhere/a.tgz?sig=secret"))
    with pytest.raises(SpecError, match="this worker fetches no payload from there") as refused:
        fetching.check(signed)
    assert "secret" not in str(refused.value)
    assert WorkerChoice.from_environment(fetching.environment()) == fetching
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
