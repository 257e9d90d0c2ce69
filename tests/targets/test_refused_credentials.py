"""STS and SSO that refuse, over HTTP: the message says which profile, which role, which action, and AWS's words."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from loadtest.errors import TargetError
from loadtest.targets.boto import client_of
from loadtest.targets.resolve import resolve_endpoint

ROLE = "arn:aws:iam::123456789012:role/LoadTest"
WORDS = "the trust policy does not allow it"
START_URL = "https://sso.example.com/start"
CONFIG = f"""
[profile base]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = never-shown

[profile staging]
role_arn = {ROLE}
source_profile = base

[profile single-sign-on]
sso_start_url = {START_URL}
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Developers

[profile web]
role_arn = {ROLE}
web_identity_token_file = TOKEN

[profile process]
credential_process = PYTHON -c "raise SystemExit('the vault is closed')"
"""


class _Refuser(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{WORDS}</Message></Error>"
        self._say(f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>", "text/xml")

    def do_GET(self) -> None:
        self._say(json.dumps({"__type": "ForbiddenException", "message": WORDS}), "application/json")

    def _say(self, text: str, kind: str) -> None:
        self.send_response(403)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("x-amzn-ErrorType", "ForbiddenException")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refuser)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    token = tmp_path / "token"
    token.write_text("web-token-never-shown")
    config = tmp_path / "config"
    config.write_text(CONFIG.replace("TOKEN", str(token)).replace("PYTHON", sys.executable))
    cache = tmp_path / "cache"
    cache.mkdir()
    kept = {"startUrl": START_URL, "region": "us-east-1", "accessToken": "sso-token-never-shown"}
    name = hashlib.sha1(START_URL.encode()).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps({**kept, "expiresAt": "2999-01-01T00:00:00Z"}))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for service in ("STS", "SSO"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
    yield
    server.shutdown()
    server.server_close()
    thread.join(10)


def by_http(profile: str) -> None:
    resolve_endpoint("my-endpoint", {"profile": profile, "region": "us-east-1"})


def by_boto3(profile: str) -> None:
    client_of({"profile": profile, "region": "us-east-1"}, 1)


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("resolve", [by_http, by_boto3])
@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("staging", ("AssumeRole", ROLE, "AccessDenied", WORDS)),
        ("web", ("AssumeRoleWithWebIdentity", ROLE, "AccessDenied", WORDS)),
        ("single-sign-on", ("GetRoleCredentials", "Developers", "ForbiddenException", WORDS)),
        ("process", ("the vault is closed",)),
    ],
)
def test_who_was_refused_what(resolve: Callable[[str], None], profile: str, said: tuple[str, ...]) -> None:
    with pytest.raises(TargetError) as problem:
        resolve(profile)
    text = str(problem.value)
    assert [part for part in said if part not in text] == []
    assert f"the profile {profile}" in text
    assert "never-shown" not in text


@pytest.mark.usefixtures("refused")
def test_a_run_ends_with_2_and_the_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "staging")
    job = ROOT / "scenarios" / "short.json"
    command = [sys.executable, "-m", "loadtest", "run", str(job), "--endpoint-name", "e"]
    done = subprocess.run(
        [*command, "--region", "us-east-1", "--output-dir", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f"AWS refused AssumeRole for the profile staging, role {ROLE}: AccessDenied: {WORDS}" in done.stderr
    assert "Traceback" not in done.stderr
