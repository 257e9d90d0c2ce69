"""kill -9 in the middle of running jobs, and a restart on the same state directory: nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator_client import connect, job_request, wait_for_end

MAIN = "from loadtest.cli import main; main()"


@contextlib.contextmanager
def _serving(state: Path, engine: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", MAIN, "serve", "--port", "0", "--state", str(state), "--engine", engine]
    with (state.parent / "serve.log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "=" in line, (state.parent / "serve.log").read_text()
        yield process, line.strip().partition("=")[2]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _until(condition: Callable[[], Any], limit_s: float = 60.0) -> None:
    until_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.1)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes in /proc")
def test_kill_9_in_the_middle_of_three_jobs(tmp_path: Path) -> None:
    state = tmp_path / "state"
    names = ("one", "two", "three")
    with _serving(state, "live") as (process, url):
        sagemaker = connect(url)
        for name in names:
            request = job_request("06", JobName=name)
            request["InputConfig"]["ContainerConfig"] = {"Domain": "MACHINE_LEARNING"}
            sagemaker.create_inference_recommendations_job(**request)

        def status(name: str) -> str:
            return str(sagemaker.describe_inference_recommendations_job(JobName=name)["Status"])

        _until(lambda: all(status(name) == "IN_PROGRESS" for name in names))
        _until(lambda: len(_children(process.pid)) >= 6)  # a generator and an endpoint for each
        children = _children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    _until(lambda: all(_gone(child) for child in children))

    with _serving(state, "sim") as (_, url):
        sagemaker = connect(url)
        for name in names:
            job = wait_for_end(sagemaker, name)
            assert job["Status"] == "FAILED"
            assert "ended while this job was running" in job["FailureReason"]
            steps = sagemaker.list_inference_recommendations_job_steps(JobName=name)["Steps"]
            assert {step["Status"] for step in steps} <= {"FAILED", "COMPLETED"}
        with pytest.raises(sagemaker.exceptions.ResourceInUse):
            sagemaker.create_inference_recommendations_job(**job_request("06", JobName="one"))
        sagemaker.create_inference_recommendations_job(**job_request("06", JobName="four"))
        assert wait_for_end(sagemaker, "four")["Status"] == "COMPLETED"
        listed = sagemaker.list_inference_recommendations_jobs()["InferenceRecommendationsJobs"]
        assert sorted(job["JobName"] for job in listed) == sorted([*names, "four"])
