"""Ten live jobs of two tests each at once: all end COMPLETED, and the API stays quick meanwhile."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from emulator_client import ENDED, connect, job_request

from loadtest.testing import recommender

JOBS = 10


def _request(number: int) -> dict[str, Any]:
    request = job_request("17", JobName=f"live-{number}")
    config = request["InputConfig"]
    del config["ContainerConfig"]["PayloadConfig"]
    phase = {"InitialNumberOfUsers": 1, "SpawnRate": 0, "DurationInSeconds": 6}
    config["TrafficPattern"] = {"TrafficType": "PHASES", "Phases": [phase]}
    config["ResourceLimit"] = {"MaxNumberOfTests": 2, "MaxParallelOfTests": 2}
    config["EndpointConfigurations"] = [{"InstanceType": "ml.c5.large"}, {"InstanceType": "ml.c5.xlarge"}]
    return request


@pytest.mark.slow
def test_ten_jobs_at_once_while_the_api_stays_quick() -> None:
    with recommender(engine="live", profile="relaxed") as server:
        sagemaker = connect(server.url)
        for number in range(JOBS):
            sagemaker.create_inference_recommendations_job(**_request(number))
        took_ms: list[float] = []
        status: dict[str, str] = {}
        reasons: dict[str, str] = {}
        until_s = time.monotonic() + 240
        while len(status) < JOBS or not set(status.values()) <= set(ENDED):
            assert time.monotonic() < until_s, status
            for number in range(JOBS):
                started_s = time.perf_counter()
                job = sagemaker.describe_inference_recommendations_job(JobName=f"live-{number}")
                took_ms.append((time.perf_counter() - started_s) * 1000)
                status[job["JobName"]] = job["Status"]
                reasons[job["JobName"]] = job.get("FailureReason", "")
            time.sleep(0.2)
        assert set(status.values()) == {"COMPLETED"}, reasons
        for number in range(JOBS):
            steps = sagemaker.list_inference_recommendations_job_steps(JobName=f"live-{number}")["Steps"]
            assert [step["Status"] for step in steps] == ["COMPLETED"] * 2
            assert all(step["InferenceBenchmark"]["Metrics"]["MaxInvocations"] > 0 for step in steps)
        print(f"Describe: {len(took_ms)} calls, median {statistics.median(took_ms):.1f} ms")
        assert statistics.median(took_ms) < 50
