"""The doctor: what it finds here, what it says where something is missing, and that it shows and sends nothing."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import loadtest.doctor.installation as installation
import loadtest.doctor.machine as machine
from loadtest.doctor.aws import aws
from loadtest.doctor.finding import Finding
from loadtest.errors import EngineError

KEY, SECRET = "AKIDEXAMPLEAKIDEXAMP", "wJalrXUtnFEMI/K7MDENG"
FAKE = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"


@pytest.fixture(autouse=True)
def _no_aws_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def _by_topic(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.topic: finding for finding in findings}


def test_this_machine_can_run() -> None:
    found = _by_topic(machine.machine())
    assert len(found) == 7
    assert not [finding for finding in found.values() if finding.state == "bad"]
    if sys.platform == "linux":
        assert found["Kernel timestamps"].state == found["Readiness"].state == "good"


def test_what_is_missing_elsewhere_is_said_with_what_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(select, "epoll", raising=False)
    kernel = machine.KernelFiles(scheduler=(Path("/nowhere/schedstat"),))
    found = _by_topic(machine.machine(kernel))
    for topic, word in (
        ("Kernel timestamps", "own clock"),
        ("Readiness", "calibrate"),
        ("Waiting for a core", "loop"),
    ):
        assert found[topic].state == "note"
        assert word in found[topic].advice


@pytest.mark.parametrize(
    ("name", "text", "topic", "state"),
    [
        ("clock", "hpet\n", "Clock", "note"),
        ("clock", "tsc\n", "Clock", "good"),
        ("clock", None, "Clock", "good"),
        ("quota", "50000 100000\n", "Cores", "note"),
        ("quota", "max 100000\n", "Cores", "good"),
        ("quota", "", "Cores", "good"),
        ("quota", None, "Cores", "good"),
    ],
)
def test_files_of_the_kernel(name: str, text: str | None, topic: str, state: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    finding = _by_topic(machine.machine(machine.KernelFiles(**{name: path})))[topic]
    assert finding.state == state
    assert (finding.advice == "") == (state == "good")


@pytest.mark.parametrize(("hard", "state"), [(100, "bad"), (4096, "note"), (65536, "good"), (-1, "good")])
def test_open_files(hard: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (min(hard, 1024), hard))
    assert _by_topic(machine.machine())["Open files"].state == state


@pytest.mark.parametrize(
    ("version", "name", "state"),
    [((3, 10, 9), "cpython", "bad"), ((3, 11, 0), "cpython", "good"), ((3, 11, 0), "pypy", "bad")],
)
def test_interpreters(version: tuple[int, ...], name: str, state: str) -> None:
    fake = SimpleNamespace(version_info=version, implementation=SimpleNamespace(name=name), executable="python")
    assert machine.python(fake).state == state
    fake._is_gil_enabled = lambda: False  # what sys calls it
    assert machine.python(fake).state == ("note" if state == "good" else state)


def test_parts_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["click>=8", "no-such-core>=1", "no-such-extra; extra == 'emulator'", "ruff; extra == 'dev'"]
    monkeypatch.setattr(installation, "requires", lambda _: wanted)
    extras = SimpleNamespace(get_all=lambda _: ["emulator", "dev", "empty"])
    monkeypatch.setattr(installation, "metadata", lambda _: extras)
    found = _by_topic(installation.parts())
    assert list(found) == ["Packages", "Part emulator", "Part empty"]
    assert (found["Packages"].state, found["Packages"].found) == ("bad", "not installed: no-such-core")
    assert found["Part emulator"].state == "note"
    assert found["Part emulator"].advice == "pip install 'loadtest[emulator]'"
    assert found["Part empty"].state == "good"


def test_parts_of_a_checkout_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise installation.PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", absent)
    assert [finding.state for finding in installation.parts()] == ["note"]


def test_a_run_of_a_second() -> None:
    assert installation.engine().state == "good"


@pytest.mark.parametrize("problem", [EngineError("the generator ended\nwith this"), OSError("no more processes")])
def test_a_run_that_cannot_be(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(installation.api, "run", fail)
    finding = installation.engine()
    assert finding.state == "bad"
    assert finding.advice


def test_without_any_configuration_nothing_is_bad() -> None:
    found = _by_topic(aws(None, None, reach=False))
    assert {topic: finding.state for topic, finding in found.items()} == {
        "AWS region": "note",
        "Proxy": "good",
        "AWS credentials": "note",
        "AWS address": "good",
    }


@pytest.mark.parametrize(
    ("config", "environment", "words"),
    [
        ("", {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}, "found by env"),
        ("[default]\naws_access_key_id=" + KEY + "\naws_secret_access_key=" + SECRET, {}, "found by config-file"),
        ("[default]\ncredential_process = touch {tmp}/asked", {}, "credential_process, which was not run"),
        ("", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, "container's role, which was not asked"),
    ],
)
def test_credentials_are_found_and_neither_shown_nor_asked_for(
    config: str, environment: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(config.replace("{tmp}", str(tmp_path)))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def refuse(*_: object) -> None:
        raise AssertionError("nothing is sent")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    findings = list(aws(None, "eu-west-1", reach=False))
    assert words in _by_topic(iter(findings))["AWS credentials"].found
    assert KEY not in str(findings)
    assert SECRET not in str(findings)
    assert not (tmp_path / "asked").exists()


def test_a_profile_that_is_not_there_is_bad() -> None:
    assert [finding.state for finding in aws("no-such-profile", None, reach=False)] == ["bad"]


@pytest.mark.parametrize(
    ("proxy", "state", "words"),
    [
        ("http://u:geheim@127.0.0.1:9", "good", "127.0.0.1:9"),
        ("socks5://127.0.0.1:9", "bad", "socks5"),
        ("http://u:geheim@:x", "bad", "no URL"),
    ],
)
def test_proxies(proxy: str, state: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    finding = _by_topic(aws(None, "eu-west-1", reach=False))["Proxy"]
    assert finding.state == state
    assert words in finding.found
    assert "geheim" not in finding.found


def test_certificates_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert _by_topic(aws(None, "eu-west-1", reach=False))["Proxy"].state == "bad"


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen = dict(self.headers)  # type: ignore[attr-defined]
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


def test_reaching_is_one_unsigned_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv(FAKE, f"http://127.0.0.1:{server.server_port}")
        finding = _by_topic(aws(None, "eu-west-1", reach=True))["AWS address"]
        thread.join()
        assert finding.state == "good"
        assert "403" in finding.found
        assert "Authorization" not in server.seen  # type: ignore[attr-defined]
    gone = _by_topic(aws(None, "eu-west-1", reach=True))["AWS address"]
    assert gone.state == "bad"
    assert gone.advice


def test_the_verb_prints_and_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from loadtest.cli import main

    done = CliRunner().invoke(main, ["doctor", "--no-run", "--json"])
    assert done.exit_code == 0
    assert {each["topic"] for each in json.loads(done.stdout)} > {"Python", "Packages", "Proxy"}
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    text = CliRunner().invoke(main, ["doctor", "--no-run"])
    assert text.exit_code == 1
    assert "bad" in text.stdout
