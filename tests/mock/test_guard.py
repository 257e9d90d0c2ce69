"""The mock is no door for web pages, and knows none of its parent's secrets."""

from __future__ import annotations

from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loadtest.mock.process import MockProcess


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_pages_and_foreign_names_are_refused(headers: dict[str, str]) -> None:
    with MockProcess() as process:
        for method, path in (("POST", "/invocations"), ("GET", "/loadtest/stats"), ("OPTIONS", "/invocations")):
            connection = HTTPConnection(urlsplit(process.url).netloc, timeout=60)
            connection.request(method, path, b"", headers)
            assert connection.getresponse().status == 403
            connection.close()


def test_no_secret_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "DB_PASSWORD"):
        monkeypatch.setenv(name, "SECRET")
    with MockProcess() as process:
        environment = Path(f"/proc/{process.pid}/environ")
        if not environment.exists():
            pytest.skip("no /proc here")
        assert b"SECRET" not in environment.read_bytes()
