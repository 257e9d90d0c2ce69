"""Workers started by hand join a run that listens, as they would from other machines."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from places import ROOT
from requests_made import stairs_request
from samples import BUCKET, sample_store

from loadtest.endpoint.settings import MockSettings
from loadtest.mock.process import MockProcess

pytestmark = pytest.mark.live


class _Bodies(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        seen: set[bytes] = self.server.bodies  # type: ignore[attr-defined]
        seen.add(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _container() -> Iterator[tuple[str, set[bytes]]]:
    """A server's address, and what was sent to it."""
    bodies: set[bytes] = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bodies)
    server.daemon_threads = True
    server.bodies = bodies  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/invocations", bodies
    server.shutdown()
    server.server_close()


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


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a sample payload in a moto, for every process that is started."""
    with sample_store(monkeypatch) as s3:
        s3.put_object(Bucket=BUCKET, Key="in/one.csv", Body=SAMPLE)
        yield f"s3://{BUCKET}/in/one.csv"


SAMPLE = b"5.1,3.5,1.4,0.2"


def test_a_worker_fetches_a_sample_payload_by_itself_if_it_may(
    sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = stairs_request("elsewhere", users=2, steps=1, seconds=2)
    payload = {"SamplePayloadUrl": sample, "SupportedContentTypes": ["text/csv"]}
    request["InputConfig"]["ContainerConfig"] = {"PayloadConfig": payload}
    (tmp_path / "job.json").write_text(json.dumps(request))
    for permitted, code in (((), 2), (("--allow-payload-url", "s3://samples/in"), 0)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{code}"))
        port = _free_port()
        with _container() as (url, bodies):
            words = [str(tmp_path / "job.json"), "--target", url, "--workers", "1", "--no-report", "--quiet"]
            place = ["--listen", f"127.0.0.1:{port}", "--output-dir", str(tmp_path / f"out-{code}")]
            with _loadtest("run", *words, *place) as run:
                worker = _loadtest("worker", "--master-host", "127.0.0.1", "--master-port", str(port), *permitted)
                _, problems = run.communicate(timeout=90)
                worker.communicate(timeout=20)
        assert run.returncode == code, problems
        assert ("start it with --allow-payload-url" in problems) == (not permitted)
        assert bodies == ({SAMPLE} if permitted else set())
        assert bool(list((tmp_path / f"cache-{code}").rglob("one.csv"))) == bool(permitted)
