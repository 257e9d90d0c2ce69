"""`loadtest run --rate` and `--confirm` as a user runs them; what the flags refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from loadtest.cli.open_loop import PERCENT, RATE
from loadtest.core.result.result import RunResult
from loadtest.report.recovery import read_run

JOB: dict[str, Any] = {
    "JobName": "open",
    "JobType": "Advanced",
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerExecutionRole",
    "InputConfig": {
        "ModelName": "m",
        "TrafficPattern": {
            "TrafficType": "STAIRS",
            "Stairs": {"DurationInSeconds": 2, "NumberOfSteps": 2, "UsersPerStep": 2},
        },
        "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
    },
    "StoppingConditions": {"FlatInvocations": "Continue"},
    "Loadtest": {"target": "mock:servers=4,service_ms=40", "options": {"window_s": 0.25, "drain_s": 5}},
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(JOB))
    return path


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize(
    ("text", "rate_per_s"),
    [("500/s", 500), ("3000/m", 50), ("3000/min", 50), ("0.5/s", 0.5), (".5/S", 0.5), (" 7200/h ", 2)],
)
def test_rates(text: str, rate_per_s: float) -> None:
    assert RATE.convert(text, None, None) == rate_per_s


@pytest.mark.parametrize("text", ["500", "500/d", "0/s", "-1/s", "1e9/s", "2000000/s", "fast", "", "1/", "nan/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a rate; write 500/s"):
        RATE.convert(text, None, None)


@pytest.mark.parametrize(("text", "share"), [("80", 0.8), ("80%", 0.8), ("12.5 %", 0.125), ("150", 1.5)])
def test_shares(text: str, share: float) -> None:
    assert PERCENT.convert(text, None, None) == share


@pytest.mark.parametrize("text", ["0", "201", "-5", "80 percent", "job.json"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a percentage"):
        PERCENT.convert(text, None, None)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--rate", "5/s", "--confirm=80"], "--confirm"),
        (["--duration", "5s"], "--duration"),
        (["--confirm-for", "5s"], "--confirm-for"),
        (["--arrivals", "poisson"], "--arrivals"),
        (["--max-in-flight", "5"], "--max-in-flight"),
    ],
)
def test_flags_that_do_not_agree(invoke: Any, job: Path, flags: list[str], named: str) -> None:
    result = invoke("run", job, *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith(named)


@pytest.mark.live
def test_a_rate_alone(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = _run(job, "--rate", "3000/m", "--duration", "2s", "--arrivals", "poisson", "--output-dir", folder, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "Open workload, 50/s poisson for 2 s" in done.stdout
    assert "response (from the intended time)" in done.stdout
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["workload"] == {
        "kind": "open",
        "rate_per_s": 50,
        "duration_s": 2,
        "law": "poisson",
        "seed": 1,
        "in_flight_limit": 500,
    }
    totals = summary["totals"]
    assert totals["ok"] == totals["intended"] > 50
    assert totals["response_p99_ms"] >= 40
    tags = {line.split(",")[0] for line in (folder / "latency.hlog").read_text().splitlines() if line.startswith("Tag")}
    assert tags == {"Tag=open-service", "Tag=open-response", "Tag=connect"}
    result = read_run(folder)
    assert result.plan.arrivals is not None
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.slow
def test_the_best_rate_is_confirmed(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = _run(job, "--confirm=50%", "--confirm-for", "2s", "--output-dir", folder, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "Closed workload, 4 users" in done.stdout
    assert "50 % of the best rate as an open workload" in done.stdout
    summary = json.loads((folder / "summary.json").read_text())
    confirmation = summary["confirmation"]
    # Half of what four servers do, 50/s: an endpoint with that much room holds it, however busy this machine is.
    assert confirmation["answer"] in ("held", "undecided"), confirmation
    assert confirmation["rate_per_s"] == pytest.approx(summary["max_invocations_per_min"] / 120)
    assert confirmation["ok"] == confirmation["intended"] > 0
    replay = json.loads((folder / "confirm" / "summary.json").read_text())
    assert replay["totals"]["intended"] == confirmation["intended"]
    assert (folder / "confirm" / "latency.hlog").exists()
    assert not list(folder.glob("*.partial"))
    assert read_run(folder).confirmation is not None


@pytest.mark.slow
def test_a_rate_that_is_too_much_is_not_held(job: Path, tmp_path: Path) -> None:
    flags = ["--confirm=200%", "--confirm-for", "3s", "--max-in-flight", "50", "--gate"]
    done = _run(job, *flags, "--output-dir", tmp_path / "out", "--json")
    confirmation = json.loads(done.stdout)["confirmation"]
    # Undecided only where this machine could not keep the schedule itself.
    assert confirmation["answer"] == "not held" or "late" in confirmation["reasons"][0]
    assert confirmation["dropped"] > 0
    assert done.returncode == (99 if confirmation["answer"] == "not held" else 0)


@pytest.mark.slow
def test_nothing_found_is_nothing_confirmed(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = _run(job, "--target", "mock:error_ratio=1", "--confirm=80", "--output-dir", folder, "--quiet")
    assert done.returncode == 1, done.stderr  # not one request succeeded
    assert "Confirmation: undecided, not tried: no request succeeded" in done.stdout
    assert not (folder / "confirm").exists()
