"""Credentials that live 3 s, through each provider that can be had here: refreshed during a run, and no request lost."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator_client import connect
from issuer import Issuer
from siblings import siblings

from loadtest.testing import recommender

ROLE = "arn:aws:iam::123456789012:role/LoadTest"
START_URL = "https://sso.example.com/start"
SECRETS = ("sekrit-issued", "tokn-issued", "sekrit-of-base", "web-tokn", "sso-tokn")
CONFIG = f"""
[profile base]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = sekrit-of-base

[profile role]
role_arn = {ROLE}
source_profile = base

[profile sso]
sso_start_url = {START_URL}
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Developers

[profile web]
role_arn = {ROLE}
web_identity_token_file = FOLDER/token

[profile process]
credential_process = PYTHON -ISc "PROGRAM"

[profile code]
role_arn = {ROLE}
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me

[profile chained]
role_arn = {ROLE}
source_profile = code
"""
# It begins as fast as an interpreter can: what it gives lives three seconds.
PROGRAM = (
    "import socket; s = socket.create_connection(('127.0.0.1', PORT)); s.sendall(b'GET /process HTTP/1.0\\r\\n\\r\\n'); "
    "print(s.makefile().read().split('\\n\\n')[-1])"
)
# Profile, or what the environment has in its place -> what was asked for credentials.
PROVIDERS = {
    "role": "AssumeRole",
    "process": "/process",
    "sso": "/federation/credentials",
    "web": "AssumeRoleWithWebIdentity",
    "container": "/container",
    "instance": "/latest/meta-data/iam/security-credentials/instance-role",
}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with recommender() as emulator:
        iam = connect(emulator.url, "iam")
        iam.create_role(RoleName="LoadTest", AssumeRolePolicyDocument="{}")
        iam.close()
        yield emulator.url


@pytest.fixture
def issuer(moto: str) -> Iterator[Issuer]:
    with Issuer(3.0, moto) as issuer:
        yield issuer


def environment(provider: str, issuer: Issuer, home: Path) -> dict[str, str]:
    """Nothing of this process's AWS settings; `home` is the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    (home / ".aws" / "sso" / "cache").mkdir(parents=True)
    (home / "token").write_text("web-tokn")
    told = (
        CONFIG.replace("FOLDER", str(home))
        .replace("PYTHON", sys.executable)
        .replace("PROGRAM", PROGRAM.replace("PORT", issuer.url.rpartition(":")[2]))
    )
    (home / ".aws" / "config").write_text(told)
    cached = {"startUrl": START_URL, "region": "us-east-1", "accessToken": "sso-tokn"}
    name = hashlib.sha1(START_URL.encode()).hexdigest()
    (home / ".aws" / "sso" / "cache" / f"{name}.json").write_text(
        json.dumps({**cached, "expiresAt": "2999-01-01T00:00:00Z"})
    )
    kept |= {"HOME": str(home), "AWS_ENDPOINT_URL_STS": issuer.url, "AWS_ENDPOINT_URL_SSO": issuer.url}
    if provider == "container":
        return kept | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{issuer.url}/container"}
    if provider == "instance":
        return kept | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": issuer.url}
    return kept | {"AWS_PROFILE": provider, "AWS_EC2_METADATA_DISABLED": "true"}


def run(provider: str, issuer: Issuer, folder: Path, seconds: int, *more: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output, summary.json of two users."""
    command = ["run", "--endpoint-name", "e", "--stairs", f"2x1/{seconds}s", "--region", "us-east-1", "--plain"]
    place = ["--endpoint-url", issuer.url, "--no-inspect", "--no-report", "--output-dir", str(folder / "out"), *more]
    home = folder / "home"
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", *command, *place],
        env=environment(provider, issuer, home),
        capture_output=True,
        text=True,
        timeout=120 + seconds,
        check=False,
    )
    text = done.stdout + done.stderr
    written = [path.read_text(errors="replace") for path in (folder / "out").rglob("*") if path.is_file()]
    for secret in SECRETS:
        assert all(secret not in each for each in (*written, text)), secret
    return done.returncode, text, json.loads((folder / "out" / "summary.json").read_text())


def check(provider: str, issuer: Issuer, folder: Path, seconds: int) -> None:
    code, text, summary = run(provider, issuer, folder, seconds)
    assert code == 0, text
    assert issuer.unknown == 0, text  # late ones there are where the machine stands still; they went again
    assert summary["totals"]["errors"] == 0, text
    assert len(issuer.served) > seconds // 3, "more than one each of their lives"
    assert set(issuer.asked) == {PROVIDERS[provider]}
    assert "Traceback" not in text


@pytest.mark.live
@pytest.mark.parametrize("provider", siblings(PROVIDERS))
def test_no_request_is_lost_when_credentials_live_three_seconds(provider: str, issuer: Issuer, tmp_path: Path) -> None:
    check(provider, issuer, tmp_path, 7)


@pytest.mark.slow
def test_thirty_seconds_of_them(issuer: Issuer, tmp_path: Path) -> None:
    check("role", issuer, tmp_path, 30)


@pytest.mark.live
def test_the_run_ends_with_its_own_reason_when_nobody_gives_new_ones(issuer: Issuer, tmp_path: Path) -> None:
    def fall_silent() -> None:
        while not issuer.served:
            time.sleep(0.05)
        issuer.silent = True

    threading.Thread(target=fall_silent, daemon=True).start()
    code, text, summary = run("container", issuer, tmp_path, 60)
    assert issuer.silent
    assert code == 1, text
    assert summary["reason"] == "CREDENTIALS"
    assert "Traceback" not in text


@pytest.mark.parametrize("profile", ["code", "chained"])
def test_a_role_that_wants_a_code_is_refused_in_words_and_nobody_is_asked(
    profile: str, issuer: Issuer, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "loadtest", "run", "--endpoint-name", "e", "--stairs", "1x1/1s"]
    done = subprocess.run(
        [*command, "--region", "us-east-1", "--endpoint-url", issuer.url, "--output-dir", str(tmp_path / "out")],
        env=environment(profile, issuer, tmp_path / "home"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f"the profile {profile}, role {ROLE}" in done.stderr
    assert "a code of arn:aws:iam::123456789012:mfa/me" in done.stderr
    assert "aws configure export-credentials" in done.stderr
    assert "Enter MFA" not in done.stdout + done.stderr
    assert not issuer.asked
