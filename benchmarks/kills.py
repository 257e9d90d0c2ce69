"""`loadtest serve` killed with SIGKILL at random moments: what becomes of its jobs, its processes and its files."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, emit

__all__ = ["kills"]

JOB = next((ROOT / "tests" / "data" / "jobs").rglob("06-*.json"))


def kills(count: int, rng: random.Random) -> bool:
    """Jobs that were answered with an ARN, and what is left of them after each SIGKILL and a new start."""
    before = set(Path(tempfile.gettempdir()).iterdir())
    lost = doubled = unsettled = orphans = made = 0
    with tempfile.TemporaryDirectory(prefix="loadtest-hostile-") as folder:
        state = Path(folder, "state")
        names: list[str] = []
        for turn in range(count):
            server, client = _serve(state, Path(folder, "serve.log"))
            try:
                until_s = time.monotonic() + rng.uniform(0.2, 2.5)
                while time.monotonic() < until_s and len(names) < 20 * (turn + 1):
                    name = f"job-{turn}-{len(names)}"
                    client.create_inference_recommendations_job(**_request(name))
                    names.append(name)
                children = _descendants(server.pid)
            finally:
                server.send_signal(signal.SIGKILL)
                server.communicate()
            orphans += sum(not _ends(child) for child in children)
        made = len(names)
        server, client = _serve(state, Path(folder, "serve.log"))
        try:
            until_s = time.monotonic() + 120
            while True:
                pages = client.get_paginator("list_inference_recommendations_jobs").paginate()
                jobs = [job for page in pages for job in page["InferenceRecommendationsJobs"]]
                unsettled = sum(job["Status"] not in ("COMPLETED", "FAILED", "STOPPED") for job in jobs)
                if not unsettled or time.monotonic() > until_s:
                    break
                time.sleep(0.5)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
        found = [job["JobName"] for job in jobs]
        lost, doubled = len(set(names) - set(found)), len(found) - len(set(found))
    left = [path.name for path in set(Path(tempfile.gettempdir()).iterdir()) - before if "loadtest" in path.name]
    bad = lost + doubled + unsettled + orphans + len(left)
    emit(
        "kills",
        kills=count,
        jobs=made,
        lost=lost,
        doubled=doubled,
        unsettled=unsettled,
        orphans=orphans,
        files_left=len(left),
        claim="all 0",
        kept=not bad,
    )
    return not bad


def _serve(state: Path, log: Path) -> tuple[subprocess.Popen[str], Any]:
    import boto3

    command = [sys.executable, "-m", "loadtest", "serve", "--port", "0", "--state", str(state), "--engine", "sim"]
    with log.open("a") as out:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip().partition("=")[2]
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    return server, boto3.client("sagemaker", endpoint_url=url, **keys)


def _request(name: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(JOB.read_text())
    request["InputConfig"].pop("ContainerConfig", None)
    return {**request, "JobName": name}


def _descendants(pid: int) -> list[int]:
    """Children of a process and theirs; [] where /proc does not tell."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _ends(pid: int, limit_s: float = 30.0) -> bool:
    """Whether a process is gone within `limit_s`."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False
