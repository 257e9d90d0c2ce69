"""Real traffic: tested endpoints answer everybody, a job stops in the middle, a user's endpoint is tested as it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from emulator_client import connect, small_job, wait_for_end

from loadtest.emulator.server import EmulatorServer
from loadtest.jobs.events import LOG_GROUP
from loadtest.testing import recommender

ROLE = "arn:aws:iam::123456789012:role/R"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live() -> Iterator[EmulatorServer]:
    with recommender(engine="live", profile="relaxed") as server:
        yield server


def _short(name: str, duration_s: int, **changes: Any) -> dict[str, Any]:
    config = small_job(name)["InputConfig"]
    config["TrafficPattern"]["Phases"][0] |= {"InitialNumberOfUsers": 2, "DurationInSeconds": duration_s}
    return small_job(name, InputConfig={**config, **changes})


def _tested_endpoint(sagemaker: Any, name: str) -> str:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        for step in sagemaker.list_inference_recommendations_job_steps(JobName=name, Status="IN_PROGRESS")["Steps"]:
            configuration = step["InferenceBenchmark"].get("EndpointConfiguration")
            if configuration is not None:
                return str(configuration["EndpointName"])
        time.sleep(0.1)
    raise AssertionError(f"no benchmark of {name} runs")


def _answer(runtime: Any, endpoint: str) -> Any:
    """What an endpoint answers that may still be starting."""
    until_s = time.monotonic() + 60
    while True:
        try:
            return runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}")
        except runtime.exceptions.ValidationError:
            assert time.monotonic() < until_s
            time.sleep(0.1)


def test_a_tested_endpoint_answers_everybody_until_the_job_is_stopped(live: EmulatorServer) -> None:
    sagemaker, runtime = connect(live.url), connect(live.url, "sagemaker-runtime")
    sagemaker.create_inference_recommendations_job(**_short("stopped", 600))
    endpoint = _tested_endpoint(sagemaker, "stopped")
    answer = _answer(runtime, endpoint)
    assert answer["Body"].read()
    assert answer["InvokedProductionVariant"] == endpoint, "AWS names the variant of a tested endpoint so"
    time.sleep(3)  # some seconds of traffic, so that there is something to keep
    sagemaker.stop_inference_recommendations_job(JobName="stopped")
    job = wait_for_end(sagemaker, "stopped", 90)
    assert job["Status"] == "STOPPED"
    with pytest.raises(runtime.exceptions.ClientError, match="not found"):
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}")
    (step,) = sagemaker.list_inference_recommendations_job_steps(JobName="stopped")["Steps"]
    assert step["Status"] == "STOPPED"
    assert step["InferenceBenchmark"]["Metrics"]["MaxInvocations"] > 0, "results so far are kept"
    logs = connect(live.url, "logs")
    lines = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=f"stopped/Endpoint/{endpoint}")["events"]
    assert any("stopped, USER" in line["message"] for line in lines)


def test_a_users_endpoint_is_tested_where_it_answers_everybody(live: EmulatorServer) -> None:
    sagemaker, runtime = connect(live.url), connect(live.url, "sagemaker-runtime")
    sagemaker.create_model(ModelName="base", PrimaryContainer={"Image": "x"}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "v", "ModelName": "base", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="base", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="baseline", EndpointConfigName="base")
    runtime.invoke_endpoint(EndpointName="baseline", Body=b"{}")
    before = live.endpoints.mock("baseline", "v").statistics()
    request = _short("baseline-job", 5, Endpoints=[{"EndpointName": "baseline"}])
    del request["InputConfig"]["EndpointConfigurations"]
    sagemaker.create_inference_recommendations_job(**request)
    job = wait_for_end(sagemaker, "baseline-job", 90)
    assert job["Status"] == "COMPLETED", job.get("FailureReason")
    (performance,) = job["EndpointPerformances"]
    assert performance["EndpointInfo"] == {"EndpointName": "baseline"}
    assert performance["Metrics"]["MaxInvocations"] > 0
    after = live.endpoints.mock("baseline", "v").statistics()
    assert after != before, "the traffic went to the very process that serves the user"
