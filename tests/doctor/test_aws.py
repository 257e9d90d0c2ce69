"""The way to AWS: what the doctor finds without showing or sending anything."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from topics import by_topic

from loadtest.doctor.aws import aws

KEY, SECRET = "AKIDEXAMPLEAKIDEXAMP", "wJalrXUtnFEMI/K7MDENG"
FAKE = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"


def test_without_any_configuration_nothing_is_bad() -> None:
    found = by_topic(aws(None, None, reach=False))
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
    assert words in by_topic(iter(findings))["AWS credentials"].found
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
    finding = by_topic(aws(None, "eu-west-1", reach=False))["Proxy"]
    assert finding.state == state
    assert words in finding.found
    assert "geheim" not in finding.found


def test_certificates_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert by_topic(aws(None, "eu-west-1", reach=False))["Proxy"].state == "bad"


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
        finding = by_topic(aws(None, "eu-west-1", reach=True))["AWS address"]
        thread.join()
        assert finding.state == "good"
        assert "403" in finding.found
        assert "Authorization" not in server.seen  # type: ignore[attr-defined]
    gone = by_topic(aws(None, "eu-west-1", reach=True))["AWS address"]
    assert gone.state == "bad"
    assert gone.advice
