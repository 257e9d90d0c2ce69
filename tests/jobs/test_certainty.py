"""How sure a recommendation's figures are: what the API has no members for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jobkit import ended, job_request

import loadtest.recommendation.job as recommendation
from loadtest.jobs.certainty import certainty_of
from loadtest.jobs.service import JobService, open_service


@pytest.fixture
def service(tmp_path: Path) -> JobService:
    fleet = tmp_path / "slow.yaml"
    fleet.write_text("model: {cpu_ms: 200}\n")
    return open_service(engine="sim", fleet_file=fleet)


DEFAULT = {
    "JobName": "default",
    "JobType": "Default",
    "RoleArn": "arn:aws:iam::123456789012:role/Role",
    "InputConfig": {"ModelName": "m", "ContainerConfig": {"Domain": "MACHINE_LEARNING", "Task": "OTHER"}},
}


def test_a_default_job_says_where_its_plateau_begins(service: JobService) -> None:
    request = json.loads(json.dumps(DEFAULT))
    request["InputConfig"]["ContainerConfig"]["SupportedInstanceTypes"] = ["ml.c5.xlarge"]
    service.create_inference_recommendations_job(request)
    job = ended(service, "default")
    (recommended,) = job["InferenceRecommendations"]
    (found,) = service.certainties("default")
    run = service.run_result("default", 0)
    assert run is not None
    assert found["RecommendationId"] == recommended["RecommendationId"]
    rate, latency, metrics = found["MaxInvocations"], found["ModelLatency"], recommended["Metrics"]
    assert rate["value"] == metrics["MaxInvocations"]
    assert rate["low"] < rate["value"] < rate["high"]
    assert rate["high"] - rate["low"] < 0.1 * rate["value"]
    assert latency["value"] == metrics["ModelLatency"]
    assert latency["low_ms"] <= latency["measured_ms"] <= latency["high_ms"]
    assert (found["capacity"]["finding"], found["confidence"]) == ("found", 0.95)
    assert run.capacity is not None
    assert found["capacity"]["load"] == run.capacity.load


def test_as_many_instances_serve_as_many_times_as_much(service: JobService) -> None:
    request = job_request("job", ("ml.c5.large",))
    request["StoppingConditions"] = {"MaxInvocations": 5000, "ModelLatencyThresholds": []}
    del request["StoppingConditions"]["ModelLatencyThresholds"]
    service.create_inference_recommendations_job(request)
    job = ended(service, "job")
    (found,) = service.certainties("job")
    count = job["InferenceRecommendations"][0]["EndpointConfiguration"]["InitialInstanceCount"]
    run = service.run_result("job", 0)
    assert run is not None
    assert run.best is not None
    assert run.best.high_per_min is not None
    assert found["InitialInstanceCount"] == count > 1
    assert found["MaxInvocations"]["high"] == pytest.approx(count * run.best.high_per_min, rel=0.01)


def test_what_is_not_known_is_null(service: JobService) -> None:
    service.create_inference_recommendations_job(job_request("job", ("ml.c5.large",)))
    ended(service, "job")
    (step,) = service.store.steps("job")
    run = service.run_result("job", 0)
    assert run is not None
    bare = certainty_of(replace(step, metrics=None), replace(run, best=None, capacity=None))
    assert (bare["MaxInvocations"]["low"], bare["MaxInvocations"]["high"], bare["capacity"]) == (None, None, None)


def test_a_recommendations_folder_has_them(tmp_path: Path) -> None:
    fleet = tmp_path / "slow.yaml"
    fleet.write_text("model: {cpu_ms: 500}\n")
    found = recommendation.recommend(
        job_request("job", ("ml.c5.large",)), fleet=fleet, mock=True, engine="sim", output_dir=tmp_path / "out"
    )
    written = json.loads((tmp_path / "out" / "recommendations.json").read_text())
    described = found.described["InferenceRecommendations"]
    assert [each["RecommendationId"] for each in written] == [each["RecommendationId"] for each in described]
    assert "low" not in json.dumps(described), "what the API answers has no more members than AWS's"
