"""What a service finds when the one before it was killed: nothing is lost, what ran is FAILED, what waited runs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jobkit import NOWHERE, HandEngine, Heard, awaited, ended, job_request, steps_of
from places import KIT

from loadtest.jobs.events import NoEvents
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.jobrun import JobContext
from loadtest.jobs.launch import Launcher
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.rows import JobRow, StepRow
from loadtest.jobs.service import JobService
from loadtest.jobs.status import Status
from loadtest.jobs.store import JobStore

VICTIM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from jobkit import HandEngine, job_request
from loadtest.jobs.service import open_service

engine = HandEngine()
service = open_service(state=Path(sys.argv[1]), fleet_file=Path(sys.argv[2]), engine=engine)
pair = ("ml.c5.large", "ml.c5.xlarge")
for i in range(12):
    request = job_request(f"job-{i:02}", pair, ResourceLimit={"MaxParallelOfTests": 1})
    request["Tags"] = [{"Key": "i", "Value": str(i)}]
    service.create_inference_recommendations_job(request)
for _ in range(10):
    engine.started.get(timeout=60)
service.stop_inference_recommendations_job({"JobName": "job-11"})
print("running", flush=True)
sys.stdin.read()
"""


def test_kill_9_loses_no_job(
    services: Callable[..., JobService], engine: HandEngine, fleet_file: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(state), str(fleet_file), str(KIT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert victim.stdin is not None
    assert victim.stdout is not None
    with victim.stdin, victim.stdout:
        assert victim.stdout.readline() == b"running\n"
        os.kill(victim.pid, signal.SIGKILL)
        assert victim.wait() == -signal.SIGKILL

    engine.release()
    service = services(state=state)
    jobs = [ended(service, f"job-{i:02}") for i in range(12)]
    assert [job["Status"] for job in jobs] == ["FAILED"] * 10 + ["COMPLETED", "STOPPED"]
    for job in jobs[:10]:
        assert "ended while this job was running" in job["FailureReason"]
        assert job["CompletionTime"] >= job["CreationTime"]
        statuses = [step["Status"] for step in steps_of(service, job["JobName"])]
        assert statuses == ["FAILED", "FAILED"]
    assert len(jobs[10]["InferenceRecommendations"]) == 2
    for i, job in enumerate(jobs):
        tags = service.list_tags({"ResourceArn": job["JobArn"]})["Tags"]
        assert tags == [{"Key": "i", "Value": str(i)}]
    # A name stays taken over the restart, and new jobs run.
    service.create_inference_recommendations_job(job_request("after"))
    assert ended(service, "after")["Status"] == "COMPLETED"


def test_results_of_finished_tests_outlive_the_service(
    services: Callable[..., JobService], engine: HandEngine, tmp_path: Path
) -> None:
    engine.release()
    first = services(state=tmp_path / "state")
    first.create_inference_recommendations_job(job_request())
    before = ended(first, "job-1")
    run = first.run_result("job-1", 0)
    first.close()
    second = services(state=tmp_path / "state")
    assert ended(second, "job-1") == before
    assert run is not None
    assert second.run_result("job-1", 0) == run
    assert second.run_result("job-1", 1) is None
    assert run.max_invocations_per_min == 600
    assert run.label == "ml.c5.xlarge"
    assert run.info == {"test": 0, "instance_type": "ml.c5.xlarge", "price_per_hour_usd": 0.204}
    assert run.job is not None
    assert run.job["InputConfig"] == before["InputConfig"]


class FullStore(JobStore):
    """A disk that has no room for results."""

    def put_run(self, name: str, index: int, result: Mapping[str, Any]) -> None:
        raise sqlite3.OperationalError("database or disk is full")


def test_a_disk_that_is_full_fails_the_job_and_not_the_launcher(engine: HandEngine, fleet_file: Path) -> None:
    engine.release()
    store = FullStore()
    fleet = Fleet.load(fleet_file, live=True)
    launcher = Launcher(JobContext(store=store, fleet=fleet, engine=engine, events=NoEvents()))
    try:
        for name in ("one", "two"):
            request = job_request(name, ("ml.c5.large", "ml.c5.xlarge"))
            store.add(JobRow(name, f"arn:{name}", request, "aws", ModelFacts(), 1.0, 1.0))
            launcher.submit(name)
            job = awaited(lambda name=name: store.get(name), lambda job: job is not None and job.status.final)
            assert job.status is Status.FAILED
            assert job.failure_reason == "InternalFailure: OperationalError: database or disk is full"
            assert all(step.status.final for step in store.steps(name))
    finally:
        launcher.close()
        store.close()
    assert NOWHERE in {plan.target.ref for plan in iter(engine.started.queue)}


def test_what_a_lost_virtual_job_told_lies_before_its_end(services: Callable[..., JobService], tmp_path: Path) -> None:
    """Its time was ahead of the clock when the process was killed."""
    store = JobStore(tmp_path)
    now_s = store.now_s()
    request = job_request("job-1")
    store.add(JobRow("job-1", "arn", request, "aws", ModelFacts(), now_s, now_s))
    store.move("job-1", Status.IN_PROGRESS)
    ahead_s = round(now_s + 9000, 3)
    store.put_steps("job-1", [StepRow(0, "l", "e", "r", status=Status.IN_PROGRESS, started_s=ahead_s)], ahead_s)
    store.close()
    heard = Heard()
    service = services(state=tmp_path, events=heard)
    job = ended(service, "job-1")
    assert job["Status"] == "FAILED"
    assert job["CompletionTime"] == job["LastModifiedTime"] == ahead_s
    (step,) = steps_of(service, "job-1")
    assert step["InferenceBenchmark"]["InvocationEndTime"] == ahead_s
    assert [time_s for _, _, time_s in heard.lines] == [ahead_s]
