"""Whole runs that fail for reasons of their own machine or of their own keys: what they say, and of whom."""

from __future__ import annotations

import errno
import http.server
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests_made import stairs_request
from siblings import siblings

from loadtest.core.measure.outcome import Kind
from loadtest.endpoint.settings import MockSettings
from loadtest.mock.process import MockProcess
from loadtest.targets.boto_errors import classify_exception
from loadtest.targets.failures import lookup_failure, socket_failure

pytestmark = pytest.mark.live


def job(path: Path, users: int, seconds: int) -> Path:
    limit = {"Percentile": "P95", "ValueInMilliseconds": 10000}
    request = stairs_request("own", users=users, steps=1, seconds=seconds, ModelLatencyThresholds=[limit])
    request["Loadtest"] = {"options": {"window_s": 0.5, "drain_s": 5}}
    path.write_text(json.dumps(request))
    return path


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None, **popen: Any) -> tuple[int, str, Any]:
    command = [sys.executable, "-m", "loadtest", "run", *arguments, "--output-dir", str(folder / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **(env or {})}, **popen
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, json.loads((folder / "out" / "summary.json").read_text())


@pytest.mark.parametrize("shape", siblings(["", "--rate 400/s --duration 4s", "--workers 2"]))
def test_a_hard_limit_of_open_files_is_not_the_endpoint_s(shape: str, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    if "--rate" in shape:
        shape += " --max-in-flight 400"
    with MockProcess(MockSettings(servers=500, service_ms=1500)) as mock:
        url = f"{mock.url}/endpoints/any/invocations"
        file = job(tmp_path / "job.json", 300, 4)
        code, said, summary = run(tmp_path, str(file), "--target", url, "--gate", *shape.split(), preexec_fn=limit)
    assert summary["totals"]["error_kinds"].keys() == {"local"}
    assert "too many open files" in said
    assert "NOT MET" not in said
    assert "ulimit -n" in said
    assert not summary["trust"]["valid"]
    assert "local-limit" in {reason["code"] for reason in summary["trust"]["reasons"]}
    assert code == 0


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES],
)
def test_each_target_calls_a_lack_of_this_machine_by_the_same_name(number: int) -> None:
    problem = OSError(number, os.strerror(number))
    by_boto = classify_exception(problem)
    assert socket_failure(problem) == (by_boto.kind, by_boto.detail)
    assert by_boto.kind is Kind.LOCAL


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ECONNRESET, errno.ENETUNREACH, errno.ETIMEDOUT])
def test_what_others_lack_is_not_this_machine_s(number: int) -> None:
    problem = OSError(number, os.strerror(number))
    assert socket_failure(problem)[0] is Kind.CONNECTION
    assert classify_exception(problem).kind in (Kind.CONNECTION, Kind.TIMEOUT)


class Expiring(http.server.BaseHTTPRequestHandler):
    """Answers well a hundred times, then as AWS does to a token that has expired."""

    protocol_version = "HTTP/1.1"
    left = 100

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).left -= 1
        good = self.left >= 0
        body = b"{}" if good else b'{"message": "The security token included in the request is expired"}'
        self.send_response(200 if good else 403)
        if not good:
            self.send_header("x-amzn-ErrorType", "ExpiredTokenException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def expiring() -> Iterator[int]:
    Expiring.left = 100
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Expiring)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", siblings(["sagemaker", "boto3"]))
def test_a_token_that_expires_in_the_run_ends_it_by_its_own_name(scheme: str, expiring: int, tmp_path: Path) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_SESSION_TOKEN": "a-token",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    file = job(tmp_path / "job.json", 2, 60)
    url = f"http://127.0.0.1:{expiring}"
    code, said, summary = run(
        tmp_path, str(file), "--target", f"{scheme}:ep", "--endpoint-url", url, "--gate", env=keys
    )
    assert (code, summary["reason"]) == (1, "CREDENTIALS")
    assert "AWS refused the credentials" in said
    assert "session token has expired" in said
    assert "NOT MET" not in said
    assert summary["totals"]["error_kinds"].keys() == {"credentials"}
    assert "very-secret" not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())


def test_a_name_that_cannot_be_asked_for_is_no_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    assert lookup_failure().kind is Kind.CONNECTION
    monkeypatch.setattr("_socket.socket", none_left)
    assert lookup_failure().kind is Kind.LOCAL
