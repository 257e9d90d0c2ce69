"""What errors say, and what they must not say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize("url", LEAKS[:7])
@pytest.mark.parametrize("how", ["--target", "--endpoint-url", "AWS_ENDPOINT_URL", "http_proxy"])
def test_the_command_line_prints_no_password(url: str, how: str) -> None:
    command = [sys.executable, "-m", "loadtest", "run", "--phases", "1+0/1s", "--p95", "1s", "--target"]
    environment = {"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "no_proxy": ""}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1"}
    if how == "--target":
        command += [url]
    elif how == "--endpoint-url":
        command += ["sagemaker:ep", "--endpoint-url", url]
    else:
        environment[how] = url
        command += ["sagemaker:ep" if how.startswith("AWS") else "http://127.0.0.1:9/x"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert "pw" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
