"""`loadtest run` as a user runs it: a real process, real traffic, real files, real signals."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from siblings import siblings

from loadtest.cli import main
from loadtest.core.measure.histogram import Histogram
from loadtest.mock.process import MockProcess

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
FILES = {
    "config.json",
    "describe.json",
    "job.json",
    "junit.xml",
    "latency.hgrm",
    "latency.hlog",
    "levels.csv",
    "report.html",
    "run.log",
    "schedule.csv",
    "summary.json",
    "windows.jsonl",
}


def _job(
    path: Path, *, steps: int = 2, step_s: int = 1, per_step: int = 1, threshold_ms: int | None = None, **loadtest: Any
) -> Path:
    stairs = {"DurationInSeconds": steps * step_s, "NumberOfSteps": steps, "UsersPerStep": per_step}
    job: dict[str, Any] = {
        "JobName": path.stem,
        "JobType": "Advanced",
        "RoleArn": ROLE,
        "InputConfig": {
            "ModelName": "m",
            "TrafficPattern": {"TrafficType": "STAIRS", "Stairs": stairs},
            "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
        },
        "StoppingConditions": {"FlatInvocations": "Continue"},
        "Loadtest": {"target": "mock:servers=4,service_ms=10", "options": {"window_s": 0.25, "drain_s": 5}, **loadtest},
    }
    if threshold_ms is not None:
        job["StoppingConditions"]["ModelLatencyThresholds"] = [
            {"Percentile": "P95", "ValueInMilliseconds": threshold_ms}
        ]
    path.write_text(json.dumps(job))
    return path


def _run(*arguments: str | Path, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "run", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
    )


def test_a_run_leaves_every_file_with_real_numbers(tmp_path: Path) -> None:
    done = _run(_job(tmp_path / "job.json"), "--output-dir", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    printed = json.loads(done.stdout)
    assert printed.pop("output_dir") == str(tmp_path / "out")
    assert printed == summary
    assert summary["schema_version"] == 1
    assert summary["reason"] == "CURVE_END"
    assert summary["totals"]["errors"] == 0
    assert [level["users"] for level in summary["levels"]] == [1, 2]
    assert all(0 < level["throughput_per_s"] <= 100 * level["users"] for level in summary["levels"])
    assert summary["schedule"]["max_lag_ms"] >= summary["schedule"]["mean_lag_ms"] >= 0


@pytest.mark.slow
@pytest.mark.live
def test_a_second_run_does_not_touch_the_first(tmp_path: Path) -> None:
    job = _job(tmp_path / "job.json", steps=1)
    assert _run(job, "--output-dir", tmp_path / "out", "--quiet").returncode == 0
    before = (tmp_path / "out/summary.json").read_text()
    second_run = _run(job, "--output-dir", tmp_path / "out", "--quiet")
    assert second_run.returncode == 0
    assert "holds something already: this run gets a folder of its own in it" in second_run.stderr
    assert (tmp_path / "out/summary.json").read_text() == before
    (second,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert {path.name for path in second.iterdir()} == FILES


@pytest.mark.live
def test_without_an_output_dir_the_run_goes_to_a_dated_folder(tmp_path: Path) -> None:
    done = _run(_job(tmp_path / "job.json", steps=1), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.live
def test_gate_makes_a_threshold_that_is_not_met_99(tmp_path: Path) -> None:
    job = _job(tmp_path / "job.json", steps=1, step_s=4, per_step=3, threshold_ms=1)
    assert _run(job, "--output-dir", tmp_path / "out", "--quiet", "--gate").returncode == 99


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.json"], "missing.json"),
        (["job.json", "--target", "gopher:x"], "gopher"),
        (["job.json", "--target", "mock:server=4"], "servers"),
        (["job.json", "--payload", "nowhere"], "nowhere"),
        (["job.json", "--window", "soon"], "soon"),
        (["job.json", "--endpoint-name", "a", "--target", "boto3:b"], "--target"),
        (["job.json", "--workers", "none"], "--workers"),
    ],
)
def test_a_users_mistake_is_a_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    _job(tmp_path / "job.json")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["run", *arguments])
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    # Nothing half-written is left behind.
    assert not list(tmp_path.glob("runs/*"))


def test_a_region_that_nobody_names_is_a_sentence_too(tmp_path: Path) -> None:
    job = _job(tmp_path / "job.json")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "run", str(job), "--target", "sagemaker:x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**env, "AWS_CONFIG_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert done.returncode == 2, done.stderr
    assert "region" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.live
def test_a_target_that_is_down_fails_the_run(tmp_path: Path) -> None:
    job = _job(tmp_path / "job.json", threshold_ms=500, target="http://127.0.0.1:9/invocations")
    done = _run(job, "--output-dir", tmp_path / "out", "--gate", "--strict", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "TARGET_DOWN"
    assert json.loads((tmp_path / "out/describe.json").read_text())["Status"] == "FAILED"


@pytest.mark.live
@pytest.mark.parametrize("target", siblings(["sagemaker:my-ep", "boto3:my-ep"]))
def test_the_result_says_where_the_requests_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    secret = "s3cr3t-that-nobody-may-see"
    with MockProcess() as mock:
        url = mock.url
        for name, value in {
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        done = _run(_job(tmp_path / "job.json"), "--target", target, "--output-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out/config.json").read_text())["environment"]
    assert facts["target_url"].startswith(url)
    assert facts["target_region"] == "eu-west-1"
    assert f"Target: {facts['target_url']}, region eu-west-1" in done.stdout
    written = "".join(path.read_text() for path in (tmp_path / "out").iterdir()) + done.stdout + done.stderr
    assert secret not in written
    assert "AKIDEXAMPLE" not in written


@pytest.mark.live
def test_a_url_is_told_without_its_query(tmp_path: Path) -> None:
    with MockProcess() as mock:
        url = f"{mock.url}/invocations"
        done = _run(_job(tmp_path / "job.json"), "--target", f"{url}?key=abc", "--output-dir", tmp_path / "out")
    assert f"Target: {url}\n" in done.stdout
    assert f"\nPage: {tmp_path / 'out' / 'report.html'}\n" in done.stdout, "what to open"


@pytest.mark.live
def test_the_built_in_endpoint_needs_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    done = _run(_job(tmp_path / "job.json"), "--output-dir", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["totals"]["errors"] == 0


@pytest.mark.live
def test_requests_that_hang_until_they_are_cut_found_the_target_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"http://127.0.0.1:{silent.getsockname()[1]}/invocations"
        done = _run(_job(tmp_path / "job.json"), "--target", target, "--drain", "1s", "--output-dir", tmp_path / "out")
    assert done.returncode == 1
    assert "TARGET_DOWN" in done.stdout


@pytest.mark.live
def test_failures_come_with_advice(tmp_path: Path) -> None:
    done = _run(_job(tmp_path / "job.json"), "--target", "http://127.0.0.1:9/", "--output-dir", tmp_path / "out")
    assert "connection refused" in done.stdout
    assert "- nothing listens at that address and port" in done.stdout


def _start(job: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "loadtest", "run", str(job), "--output-dir", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _await_window(out: Path) -> None:
    limit_s = time.monotonic() + 30
    while time.monotonic() < limit_s:
        for path in (out.with_name(out.name + ".partial"), out):
            windows = path / "windows.jsonl"
            if windows.exists() and windows.stat().st_size:
                return
        time.sleep(0.05)
    raise AssertionError("no window was written")


@pytest.mark.live
@pytest.mark.parametrize("number", siblings([signal.SIGINT, signal.SIGTERM]))
def test_one_signal_ends_in_order_with_results(tmp_path: Path, number: signal.Signals) -> None:
    with _start(_job(tmp_path / "job.json", steps=1, step_s=60), tmp_path / "out") as run:
        _await_window(tmp_path / "out")
        run.send_signal(number)
        assert run.wait(30) == 130
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["reason"] == "USER"
    assert summary["totals"]["ok"] > 0
    assert summary["totals"]["errors"] == 0


@pytest.mark.live
def test_two_signals_end_at_once_with_results(tmp_path: Path) -> None:
    job = _job(
        tmp_path / "job.json",
        steps=1,
        step_s=60,
        target="mock:servers=1,service_ms=30000",
        options={"window_s": 0.25, "drain_s": 60},
    )
    with _start(job, tmp_path / "out") as run:
        _await_window(tmp_path / "out")
        run.send_signal(signal.SIGINT)
        time.sleep(1)
        assert run.poll() is None  # it drains: the request takes 30 s
        run.send_signal(signal.SIGINT)
        assert run.wait(10) == 130
    assert json.loads((tmp_path / "out/summary.json").read_text())["reason"] == "USER"


@pytest.mark.live
def test_a_killed_run_leaves_a_partial_folder_only(tmp_path: Path) -> None:
    with _start(_job(tmp_path / "job.json", steps=1, step_s=60), tmp_path / "out") as run:
        _await_window(tmp_path / "out")
        run.kill()
        run.wait(10)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.partial/windows.jsonl").stat().st_size


@pytest.mark.live
def test_streamed_answers_have_their_own_columns(tmp_path: Path) -> None:
    job, out = _job(tmp_path / "job.json", step_s=2), tmp_path / "out"
    target = "mock:servers=4,service_ms=30,parts=4,part_gap_ms=10"
    done = _run(job, "--target", target, "--stream", "--output-dir", out)
    assert done.returncode == 0, done.stderr
    assert "TTFB" in done.stdout
    assert "inter-chunk" in done.stdout
    summary = json.loads((out / "summary.json").read_text())
    with (out / "levels.csv").open() as rows:
        levels = list(csv.DictReader(rows))
    assert [level["users"] for level in levels] == ["1", "2"]
    for figures in (*levels, *summary["levels"], summary["totals"]):
        # What the endpoint does, and on a busy machine a little more.
        assert 30 <= float(figures["ttfb_p50_ms"]) < 60
        assert 9 <= float(figures["inter_chunk_p50_ms"]) < 20
        assert float(figures["p50_ms"]) >= 60
        assert float(figures["ttfb_p99_ms"]) <= float(figures["ttfb_max_ms"]) < float(figures["max_ms"])
    windows = [json.loads(line) for line in (out / "windows.jsonl").read_text().splitlines()]
    streamed = [window for window in windows if window["ok"]]
    assert sum(Histogram.decode(window["ttfb"]).total for window in streamed) == summary["totals"]["ok"]
    assert sum(Histogram.decode(window["inter_chunk"]).total for window in streamed) == 3 * summary["totals"]["ok"]
