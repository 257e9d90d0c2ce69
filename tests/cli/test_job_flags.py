"""`loadtest run` without a file, `loadtest init`, `loadtest demo`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import loadtest
from loadtest.cli.demo import NEXT
from loadtest.core.request.parse import parse_job
from loadtest.core.traffic.curve import curve_of

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.live
def test_a_job_of_flags_runs_and_is_kept_as_a_request(execute, tmp_path):
    out = tmp_path / "out"
    flags = ("--stairs", "2x2/2s", "--p95", "500ms", "--job-name", "quick", "--window", "250ms")
    done = execute("run", "--target", "mock:servers=4,service_ms=10", *flags, "--output-dir", out, "--quiet")
    assert done.returncode == 0, done.stderr
    request = json.loads((out / "job.json").read_text())
    assert request["JobName"] == "quick"
    assert [step.users for step in curve_of(parse_job(request, "relaxed").traffic).steps] == [2, 4]
    info = json.loads((out / "config.json").read_text())["info"]
    assert [reason.split(":")[0] for reason in info["aws_would_refuse"]] == [
        *("RoleArn", "InputConfig.ModelName", "InputConfig.EndpointConfigurations"),
        "InputConfig.TrafficPattern.Stairs.DurationInSeconds",
    ]
    assert info["not_used"] == [], "what stands in for nothing is not missed"
    assert "not_provisioned" not in info
    assert loadtest.parse(str(out / "job.json")).stop.latency is not None


@pytest.mark.live
def test_a_rate_needs_no_users(execute, tmp_path):
    out = tmp_path / "out"
    flags = ("--rate", "50/s", "--duration", "1.5s", "--p95", "500ms", "--window", "250ms")
    done = execute("run", "--target", "mock:servers=4,service_ms=10", *flags, "--output-dir", out, "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "summary.json").read_text())["workload"]["kind"] == "open"
    assert loadtest.parse(str(out / "job.json")).stop.latency is not None
    assert "AWS knows users only" in json.loads((out / "config.json").read_text())["info"]["aws_would_refuse"][-1]


def test_every_problem_of_flags_at_once(invoke):
    result = invoke("run", "--stairs", "2x/10m", "--p95", "200", "--job-name", "a b")
    assert result.exit_code == 2
    for path in ("--stairs: ", "--p95: ", "--target: ", "JobName: "):
        assert f"{path}" in result.stderr
    assert "\n    2x/10m\n      ^\n" in result.stderr


def test_neither_file_nor_flags(invoke):
    result = invoke("run")
    assert result.exit_code == 2
    assert "loadtest init" in result.stderr
    assert "loadtest demo" in result.stderr


def test_a_file_and_flags_do_not_go_together(invoke, jobs):
    result = invoke("run", next(iter(jobs.glob("*.json"))), "--stairs", "1x1/1s", "--p99", "1s")
    assert result.exit_code == 2
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["--stairs", "--p99", "SpecError"]


def test_init_writes_a_file_that_validates(invoke, tmp_path):
    path = tmp_path / "job.yaml"
    flags = ("--target", "sagemaker:e", "--phases", "1+3/120s", "--p99", "1s", "--role-arn")
    assert invoke("init", path, *flags, "arn:aws:iam::123456789012:role/r", "--gate").exit_code == 0
    assert invoke("validate", path).exit_code == 0
    assert invoke("preview", path).exit_code == 0
    text = path.read_text()
    again = invoke("init", path, "--target", "mokc:")
    assert again.exit_code == 2
    for part in ("is there already", "target: ", "--stairs: "):
        assert part in again.stderr
    assert path.read_text() == text
    assert invoke("init", path, "--target", "mock:", "--stairs", "1x1/1s", "--force").exit_code == 0
    assert path.read_text() != text


def test_init_says_where_it_cannot_write(invoke, tmp_path):
    result = invoke("init", tmp_path / "no" / "job.yaml", "--target", "mock:", "--stairs", "1x1/1s")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)
    assert "name it" in invoke("init", tmp_path / "job.json", "--target", "mock:", "--stairs", "1x1/1s").stderr


def test_init_asks_and_asks_again(tmp_path):
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "loadtest", "init", "job.yaml"]
    asking = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, cwd=tmp_path, close_fds=True)
    os.close(child)
    seen = b""
    answers = [
        (b"Target [", b"mokc:"),
        (b"Target [", b"mock:servers=2"),
        (b"Traffic [", b"2x/3s"),
        (b"Traffic [", b"1+3/120s"),
        (b"P95", b"5"),
        (b"P95", b"50ms"),
        (b"Name [mock]", b""),
    ]
    for question, answer in answers:
        part = b""
        while question not in part or not part.rstrip(b" ").endswith(b"]:"):
            part += os.read(parent, 1)
        seen += part
        os.write(parent, answer + b"\n")
    try:
        while more := os.read(parent, 4096):
            seen += more
    except OSError:
        pass  # the other side is gone
    os.close(parent)
    assert asking.wait(30) == 0, seen.decode()
    assert b"2x/3s\r\n      ^" in seen
    spec = loadtest.parse(str(tmp_path / "job.yaml"))
    assert spec.name == "mock"
    assert spec.stop.latency is not None
    assert spec.stop.latency.limit_ms == 50


def test_the_demo_is_the_quickstart():
    assert (ROOT / "loadtest/cli/quickstart.json").read_bytes() == (ROOT / "scenarios/quickstart.json").read_bytes()


def test_the_demo_shows_its_job(invoke):
    result = invoke("demo", "--show")
    assert json.loads(result.stdout)["JobName"] == "quickstart"


def test_what_the_demo_names_next_are_commands(invoke):
    commands = [line.split() for line in NEXT.splitlines() if line.startswith("  loadtest ")]
    assert [words[1] for words in commands] == ["run", "capacity", "init", "doctor"]
    for _, verb, *words in commands:
        told = invoke(verb, "--help").stdout
        assert [flag for flag in words if flag.startswith("--") and flag not in told] == []


@pytest.mark.slow
def test_the_demo_runs(execute, tmp_path):
    done = execute("demo", "--output-dir", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    # Where it levels out is found in virtual time (test_scenarios): a machine that others load may not get there.
    assert json.loads((tmp_path / "out/summary.json").read_text())["reason"] in ("FLAT", "CURVE_END")
    assert "loadtest init" in done.stdout
