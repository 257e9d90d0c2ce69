"""Workers that join from elsewhere, before a run: who is taken, who is refused, and what both sides are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import plan_of
from siblings import siblings

from loadtest.core.judge.decision import Reason
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef
from loadtest.engine.cluster.choice import EVERYTHING
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE
from loadtest.engine.parent.spawn import Run, start
from loadtest.errors import EngineError, SpecError

pytestmark = [pytest.mark.usefixtures("no_orphans"), pytest.mark.live]
EVERYTHING_ALLOWED = EVERYTHING.environment()
OTHER = str(Path(__file__).with_name("other_version.py"))


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _plan(workers: int = 1) -> Plan:
    return replace(plan_of((0.0, 4), end_s=1.0), workers=workers)


def _listening(plan: Plan, port: int) -> tuple[Run, list[str]]:
    """A run that waits for workers, and what it says meanwhile."""
    news: list[str] = []
    return start(plan, listen=("127.0.0.1", port), on_news=news.append), news


@contextmanager
def _worker(
    port: int, *script: str, cwd: Path | None = None, choice: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, *(script or ("-m", "loadtest.engine.generator.child")), "worker", "127.0.0.1", str(port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    env |= choice or EVERYTHING_ALLOWED
    with subprocess.Popen(command, text=True, cwd=cwd, env=env, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def _said(process: subprocess.Popen[str]) -> str:
    # Not `communicate`, which closes its stdin: it would take itself for an orphan.
    assert process.wait(20) == 0
    assert process.stdout is not None
    return process.stdout.read()


def test_a_worker_that_understands_another_plan_ends_the_run(port: int) -> None:
    run, _ = _listening(_plan(), port)
    with _worker(port, OTHER, "plan") as worker:
        with pytest.raises(EngineError, match=r"understood another plan \(0{12}, not [0-9a-f]{12}\)"):
            run.result(40)
        assert "understood another plan" in _said(worker)


def test_workers_of_another_version_and_more_than_asked_for_are_sent_home(port: int) -> None:
    run, news = _listening(_plan(2), port)
    with _worker(port, OTHER, "version") as old:
        assert "this worker of 0.0.1" in _said(old)
    with _worker(port) as one, _worker(port) as two:
        result = run.result(40)
        assert (_said(one), _said(two)) == ("", "")
    assert result.reason is Reason.CURVE_END
    assert len(result.workers) == 2
    host = socket.gethostname()
    assert news == [
        f"waiting for 2 workers; on each machine: loadtest worker --master-host 127.0.0.1 --master-port {port}",
        f"1 of 2 workers joined: {host}",
        f"2 of 2 workers joined: {host}",
    ]


@pytest.mark.slow
def test_a_worker_that_leaves_before_the_start_makes_room_for_another(port: int) -> None:
    run, news = _listening(_plan(2), port)
    with _worker(port) as leaver:
        while len(news) < 2 and leaver.poll() is None:
            time.sleep(0.01)
        assert leaver.stdin is not None
        leaver.stdin.write('{"kind":"stop"}\n')
        leaver.stdin.flush()
        assert leaver.wait(10) == 0
    with _worker(port), _worker(port):
        assert run.result(40).reason is Reason.CURVE_END


@pytest.mark.slow
def test_a_worker_that_stalls_while_others_are_waited_for_is_not_left_waiting(port: int) -> None:
    run, news = _listening(_plan(2), port)
    with _worker(port) as sleeper:
        while len(news) < 2 and sleeper.poll() is None:
            time.sleep(0.01)
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(4.9)  # the master gives it up after 3 to 5 s; only after 6 would it give up the master
        sleeper.send_signal(signal.SIGCONT)
        with _worker(port), _worker(port):
            assert run.result(40).reason is Reason.CURVE_END
        # It was told, or was in time to take part; nobody left it waiting.
        said = _said(sleeper)
        assert said == "" or "take this worker for lost" in said


def test_workers_that_read_other_bodies_end_the_run(port: int, tmp_path: Path) -> None:
    plan = replace(_plan(2), payload=PayloadSource("body.json"))
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "body.json").write_text(name)
    run, _ = _listening(plan, port)
    with (
        _worker(port, cwd=tmp_path / "a"),
        _worker(port, cwd=tmp_path / "b"),
        pytest.raises(EngineError, match="do not read the same payloads"),
    ):
        run.result(40)


def test_a_payload_that_one_worker_lacks_is_a_mistake_in_the_job(port: int, tmp_path: Path) -> None:
    run, _ = _listening(replace(_plan(), payload=PayloadSource("body.json")), port)
    with _worker(port, cwd=tmp_path) as worker:
        with pytest.raises(SpecError, match=r"worker 0 on .*: payload: must be a file"):
            run.result(40)
        assert "payload: must be a file" in _said(worker)


def test_a_port_that_is_taken(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        run, _ = _listening(_plan(), port)
        with pytest.raises(SpecError, match=rf"--listen: cannot be listened on: .* \(got 127\.0\.0\.1:{port}\)"):
            run.result(40)


def test_a_target_that_only_this_machine_reaches_is_refused(port: int) -> None:
    with pytest.raises(SpecError, match="loadtest mock --host"):
        start(replace(plan_of((0.0, 4), end_s=1.0, target="mock:servers=4")), listen=("127.0.0.1", port))


def test_only_who_knows_the_secret_takes_part(port: int) -> None:
    """A stranger is refused by both sides before a plan is sent, and an honest worker takes the place."""
    run = start(_plan(), listen=("127.0.0.1", port), env={TOKEN_VARIABLE: "the secret of this run"})
    for choice in (EVERYTHING_ALLOWED, {**EVERYTHING_ALLOWED, TOKEN_VARIABLE: "another secret, as long"}):
        with _worker(port, choice=choice) as stranger:
            assert "does not know this worker's token" in _said(stranger)
    with _worker(port, choice={**EVERYTHING_ALLOWED, TOKEN_VARIABLE: "the secret of this run"}):
        assert run.result(60).reason is Reason.CURVE_END


def test_a_worker_that_allows_nothing_runs_no_plug_in(port: int) -> None:
    run, _ = _listening(_plan(), port)
    with _worker(port, choice={"LOADTEST_ALLOW_PLUGINS": ""}) as worker:
        with pytest.raises(SpecError, match=r"this worker runs no plug-in of that name .*--allow-plugin"):
            run.result(60)
        assert "runs no plug-in" in _said(worker)


STRANGE = ("garbage bytes", "a version of a wrong type")
LIES = (
    "latencies of more time than there was",
    "nothing with a seal",
    "5e15 successes",
    "a window of NaN",
    "a level that there is not",
    "an answer that nobody asked for",
    "plan",
)


@pytest.mark.parametrize("lie", [*siblings(STRANGE), *siblings(LIES)])
def test_one_bad_worker_is_sent_home_and_the_run_goes_on(lie: str, port: int) -> None:
    """A worker that lies takes part until it is found out, before the start or in the run; a stranger never does."""
    plan = replace(_plan(2), curve=plan_of((0.0, 4), end_s=3.0).curve, target=TargetRef("null:"))
    run, news = _listening(plan, port)
    with _worker(port, OTHER, lie) as bad:
        while len(news) < 2 and bad.poll() is None:
            time.sleep(0.01)
        with _worker(port), _worker(port):
            result = run.result(60)
    assert result.reason is Reason.CURVE_END
    assert 0 < result.totals.ok < 10_000_000
    lost = [worker for worker in result.workers if worker.lost]
    if lie in STRANGE:
        assert not lost
    else:
        assert ["is refused" in worker.why for worker in lost] == [True]
        assert not result.trust.valid


def test_listening_beyond_this_machine_needs_a_secret(port: int) -> None:
    for env in ({}, {TOKEN_VARIABLE: "short"}):
        with pytest.raises(SpecError, match=TOKEN_VARIABLE):
            start(_plan(), listen=("0.0.0.0", port), env=env)
    run = start(_plan(), listen=("0.0.0.0", port), env={TOKEN_VARIABLE: "the secret of this run"})
    run.kill()
    run.result(20)
