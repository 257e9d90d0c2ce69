"""What errors say, and what they must not say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from loadtest.cli import main
from loadtest.errors import EngineError, Problem, SpecError, TargetError, masked

LEAKS = (
    "http://u:pw@h/a b",
    "http:/u:pw@h",
    "http:///u:pw@h",
    "u:pw@h:80",
    "https://u:p/pw@h",
    "https://u:p pw@h",
    "http://u:pw@h:port/x",
    "HTTP://:pw@h",
    "ftp://u:pw@h",
)


@pytest.mark.parametrize("url", LEAKS)
def test_a_password_is_in_no_problem(url: str) -> None:
    assert "pw" not in masked(url)
    problem = Problem("--endpoint-url", url, f"is no URL: {url}", "write https://HOST")
    for text in (str(problem), str(SpecError([problem])), str(TargetError(url)), str(EngineError(url))):
        assert "pw" not in text
        assert "@h" in text, "the rest is there to be recognised"


@pytest.mark.parametrize(
    "text",
    [
        "must be at least 120 (got 32); 120..3600",
        "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1",
        "http://127.0.0.1:8080/invocations",
        "somebody@example.org",
        "mock:servers=4,service_ms=20",
        "[Errno 2] No such file or directory: '/a/b'",
        "",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert masked(text) == text


@given(st.text(max_size=200))
def test_any_text_is_masked_in_time(text: str) -> None:
    assert isinstance(masked(f"http://u:{text}@h"), str)


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "us-east-1",
    "no_proxy": "",
}
RUN = ["run", "--phases", "1+0/1s", "--p95", "1s", "--target"]


@pytest.mark.parametrize("url", LEAKS[:7])
@pytest.mark.parametrize("how", ["--target", "--endpoint-url", "AWS_ENDPOINT_URL"])
def test_the_command_line_prints_no_password(
    url: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    if how == "--target":
        command = [*RUN, url]
    elif how == "--endpoint-url":
        command = [*RUN, "sagemaker:ep", "--endpoint-url", url]
    else:
        monkeypatch.setenv(how, url)
        command = [*RUN, "sagemaker:ep"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2, done.output
    assert "pw" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.live
@pytest.mark.parametrize("url", LEAKS[:7])
def test_a_run_through_a_proxy_prints_no_password(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtest", *RUN, "http://127.0.0.1:9/x"]
    environment = {**ENVIRONMENT, "http_proxy": url}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, cwd=tmp_path)
    assert "pw" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
