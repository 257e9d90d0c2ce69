"""The mock endpoint's process: how it starts, tells its address, and ends, whatever happens to whom."""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from mock_wire import Wire, post

from loadtest.cli.mock import command
from loadtest.endpoint.latency import MockSettings
from loadtest.errors import EngineError
from loadtest.mock.__main__ import main
from loadtest.mock.options import OPTIONS, arguments
from loadtest.mock.process import MockProcess
from loadtest.mock.server import ServerOptions

Launch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """`python -m loadtest.mock ARGUMENTS`; whatever still runs at the end is killed."""
    with ExitStack() as stack:

        def start(*line: str, **options: object) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "loadtest.mock", *line],
                    stdin=options.get("stdin", subprocess.PIPE),  # type: ignore[call-overload]
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(launch: Launch, number: int) -> None:
    process = launch("--service-ms", "500")
    url = url_of(process)
    client, observer = Wire(url), Wire(url)
    client.send(post())
    while not _stats(observer)["invocations"]:  # what has not been read yet would be refused
        time.sleep(0.01)
    observer.close()
    process.send_signal(number)
    assert client.answer()[0] == 200  # what was under way is answered
    client.close()
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def _stats(client: Wire) -> dict[str, float]:
    client.send(b"GET /loadtest/stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
    found: dict[str, float] = json.loads(client.answer()[2])
    return found


def test_it_ends_when_its_stdin_does_only_if_asked_to(launch: Launch) -> None:
    asked, not_asked = launch("--until-stdin-closes"), launch()
    for process in (asked, not_asked):
        assert url_of(process).startswith("http://127.0.0.1:")
        assert process.stdin is not None
        process.stdin.close()
    assert asked.wait(20) == 0
    Wire(f"http://127.0.0.1:{_port(not_asked.pid)}").close()
    assert not_asked.poll() is None


def test_a_stdin_that_has_ended_already_ends_it_at_once(launch: Launch) -> None:
    assert launch("--until-stdin-closes", stdin=subprocess.DEVNULL).wait(20) == 0


def test_it_cannot_outlive_its_parent() -> None:
    code = """
import os
from loadtest.mock.process import MockProcess
process = MockProcess().start()
print(process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    _gone(int(parent.stdout))


def test_a_port_in_use_is_one_clear_line(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = launch("--port", str(port))
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (2, "")
    assert errors.startswith(f"error: the mock endpoint: cannot listen on 127.0.0.1:{port}: ")
    assert len(errors.splitlines()) == 1
    assert "in use" in errors


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (
            ["--servers=0", "--error-ratio=7"],
            ["error: mock:servers: must be in 1..", "error: mock:error_ratio: must be in"],
        ),
        (["--law=empirical", "--samples=/nonexistent"], ["error: /nonexistent: the samples cannot be read"]),
        (["--tls-cert=/nonexistent"], ["error: --tls-cert, --tls-key: cannot be read: No such file or directory"]),
        ([f"--tls-cert={__file__}"], [f"error: --tls-cert {__file__}: holds no certificate"]),
        (["--tls-key=/nonexistent"], ["error: --tls-key: is a key without a certificate"]),
        (["--port=70000"], ["error: --port: must be from 0 to 65535 (got 70000)"]),
        (["--log=/nonexistent/log"], ["error: the mock endpoint: /nonexistent/log: "]),
    ],
    ids=["settings", "samples", "tls", "no certificate", "key alone", "port", "log"],
)
def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], line: list[str], parts: list[str]) -> None:
    assert main(line) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == len(parts)
    assert all(part in told for part, told in zip(parts, errors.splitlines(), strict=True))


def test_a_reachable_address_is_warned_of(launch: Launch) -> None:
    process = launch("--host", "0.0.0.0")
    assert url_of(process).startswith("http://0.0.0.0:")
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert "warning: http://0.0.0.0:" in errors


def test_slow_and_silent_clients_are_let_go(launch: Launch) -> None:
    process = launch("--request-timeout-s=0.3", "--idle-timeout-s=0.3", "--service-ms=1000")
    url = url_of(process)
    silent, slow, served = Wire(url), Wire(url), Wire(url)
    served.send(post())
    slow.send(b"POST /invocations HTTP/1.1\r\nX: ")
    for _ in range(3):
        slow.send(b"y")  # bytes now and then do not prolong it
    status, headers, _ = slow.answer()
    assert (status, headers["connection"]) == (408, "close")
    assert silent.rest() == b""
    assert served.answer()[0] == 200  # waiting for the model is not being silent
    assert served.rest() == b""
    for client in (silent, slow, served):
        client.close()


def test_the_log_holds_every_success(tmp_path: Path) -> None:
    log = tmp_path / "latencies"
    with MockProcess(MockSettings(servers=1, service_ms=2, queue=2), log=str(log)) as process:
        client = Wire(process.url)
        for _ in range(20):
            client.send(post())
            assert client.answer()[0] == 200
        client.close()
        found = process.statistics()
    logged = array.array("q", log.read_bytes())
    assert len(logged) == found["ok"] == 20
    assert min(logged) >= 2_000
    assert found["mean_ms"] == pytest.approx(sum(logged) / 20 / 1000, abs=0.001)
    assert found["max_ms"] == pytest.approx(max(logged) / 1000, rel=0.001)
    assert found["p50_ms"] == pytest.approx(sorted(logged)[9] / 1000, rel=0.001)


def test_a_process_is_held_and_reaped() -> None:
    process = MockProcess(MockSettings(service_ms=0))
    assert not process.alive
    with pytest.raises(EngineError, match="not running"):
        _ = process.url
    process.stop()  # harmless
    with process:
        assert process.start() is process
        pid = process.pid
        assert process.alive
        assert os.getsid(pid) == pid  # a terminal's Ctrl-C does not reach it
        assert process.statistics()["settings"] == process.settings.to_ref()
    assert not process.alive
    _gone(pid)
    with process:  # and once more
        assert process.pid != pid


def test_a_process_that_does_not_listen_is_told_with_its_last_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = MockProcess(port=taken.getsockname()[1])
        with pytest.raises(EngineError, match=r"ended before it listened\n  error: the mock endpoint: cannot listen"):
            process.start()
    assert not process.alive


def test_a_killed_process_is_noticed_and_stopped_without_a_word() -> None:
    with MockProcess() as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="does not tell its statistics"):
            process.statistics()


def test_every_setting_has_its_option_and_survives_the_command_line() -> None:
    settings = MockSettings.parse(
        "servers=3,service_ms=7,law=lognormal,sigma=0.5,queue=5,error_ratio=0.1,stall_ratio=0.2,stall_ms=30,freeze_at_s=1,"
        "freeze_s=0.1,freeze_every_s=2,cold_start_ms=40,parts=2,part_gap_ms=3,response_bytes=9,seed=-2,name=n"
    )
    with MockProcess(settings) as process:
        assert process.statistics()["settings"] == settings.to_ref()
    assert arguments(MockSettings(), ServerOptions()) == []
    fields = {option.field for option in OPTIONS}
    assert fields == {*MockSettings.__dataclass_fields__, *ServerOptions.__dataclass_fields__}


def test_the_command_has_the_same_options() -> None:
    assert isinstance(command, click.Command)
    shown = CliRunner().invoke(command, ["--help"]).output
    assert all(option.flag in shown for option in OPTIONS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = CliRunner().invoke(command, ["--port", str(taken.getsockname()[1])])
    assert refused.exit_code == 2
    assert "cannot listen" in refused.output


def _port(pid: int) -> int:
    """The port that a process listens on, by the kernel's tables."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in inodes:
            return int(columns[1].split(":")[1], 16)
    raise AssertionError("it does not listen")


def _gone(pid: int) -> None:
    for _ in range(400):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # ended; its new parent has not looked yet
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")
