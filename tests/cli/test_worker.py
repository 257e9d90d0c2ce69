"""Workers started by hand join a run that listens, as they would from other machines."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from places import JOBS, ROOT

from loadtest.endpoint.settings import MockSettings
from loadtest.mock.process import MockProcess

pytestmark = pytest.mark.live


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _loadtest(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "loadtest", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_workers_join_a_run_that_listens(tmp_path: Path) -> None:
    port, out = _free_port(), tmp_path / "out"
    scenario = ROOT / "scenarios/short.json"
    with MockProcess(MockSettings(servers=4, service_ms=20.0)) as mock:
        target = f"{mock.url}/invocations"
        arguments = ["--target", target, "--workers", "2", "--listen", f"127.0.0.1:{port}", "--output-dir", str(out)]
        with _loadtest("run", str(scenario), *arguments, "--json") as run:
            workers = [_loadtest("worker", "--master-host", "127.0.0.1", "--master-port", str(port)) for _ in range(2)]
            printed, problems = run.communicate(timeout=90)
            for worker in workers:
                _, said = worker.communicate(timeout=20)
                assert worker.returncode == 0, said
    assert run.returncode == 0, problems
    summary = json.loads(printed)
    assert summary["totals"]["ok"] > 100
    assert summary["totals"]["lost_workers"] == 0
    windows = [json.loads(line) for line in (out / "windows.jsonl").read_text().splitlines()]
    assert {window["workers"] for window in windows if window["users"]} == {2}


def test_a_listening_address_that_is_none_is_refused() -> None:
    with _loadtest("run", "scenarios/short.json", "--listen", "somewhere") as run:
        _, problems = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "HOST:PORT" in problems


def test_a_worker_that_waits_says_so_and_ends_at_the_first_signal() -> None:
    port = _free_port()
    with _loadtest("worker", "--master-host", "127.0.0.1", "--master-port", str(port)) as worker:
        assert worker.stderr is not None
        assert worker.stderr.readline() == f"waiting for a run at 127.0.0.1:{port}\n"
        worker.send_signal(signal.SIGINT)
        assert worker.wait(15) == 130


def test_a_master_whose_name_is_none_is_refused() -> None:
    with _loadtest("worker", "--master-host", "no..such..host", "--master-port", "5557") as worker:
        _, problems = worker.communicate(timeout=30)
    assert worker.returncode == 2
    assert problems.startswith("--master-host: cannot be resolved")


def test_a_mock_that_workers_elsewhere_do_not_reach_is_refused() -> None:
    with _loadtest("run", "scenarios/short.json", "--listen", f"127.0.0.1:{_free_port()}", "--workers", "2") as run:
        _, problems = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "loadtest mock --host" in problems


def test_a_sample_payload_that_only_this_machine_would_have_is_refused() -> None:
    (job,) = JOBS.glob("17-*.json")
    where = ["--target", "http://127.0.0.1:9/", "--listen", f"127.0.0.1:{_free_port()}"]
    with _loadtest("run", str(job), *where) as run:
        _, problems = run.communicate(timeout=30)
    assert run.returncode == 2
    assert problems.startswith("--listen: ")
    assert "give --payload" in problems
