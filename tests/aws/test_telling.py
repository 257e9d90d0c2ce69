"""Tests of a job that CloudWatch is asked about: of endpoints made for them, when these are gone, and of existing ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door
from emulator_client import create_endpoint, create_model
from jobkit import ended, job_request
from service_model import needs_newer_model
from told import plan_of, run_of

from loadtest.aws.budget import Budget
from loadtest.aws.clients import Clients
from loadtest.aws.cost import known_prices
from loadtest.aws.deploy import Deployment
from loadtest.aws.directory import AccountEndpoints
from loadtest.aws.journal import Journal
from loadtest.aws.telling import Telling
from loadtest.core.result.periods import KEPT_AS
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.jobs.provision import OpenEndpoint, Wanted
from loadtest.jobs.service import JobService, open_service
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.subject import Subject
from loadtest.recommendation.folder import JobFolder

WAIT_S = 0.05


class Engine:
    """Every test was five minutes of one level."""

    virtual = False

    def run(self, plan: Plan, on_window: Any, signal: StopSignal) -> RunResult:
        result = run_of(plan_of(steps=1), lambda s: 40.0)
        for window in result.windows:
            on_window(window)
        return result


@pytest.fixture
def service(door: Door, clients: Clients, tmp_path: Path) -> Iterator[JobService]:
    options = {"endpoint_url": door.url, "region": "us-east-1"}
    journal, prices = Journal(tmp_path / "j.jsonl"), known_prices("us-east-1")
    made = Deployment(clients, journal, Budget(100), prices, options=options, poll_s=0.01)
    folder = JobFolder(tmp_path / "out", {})
    service = open_service(
        engine=Engine(),
        profile="relaxed",
        provider=Telling(made, wait_s=WAIT_S),
        directory=AccountEndpoints(clients),
        watcher=folder,
    )
    folder.result = service.run_result
    yield service
    service.close()
    folder.finish({}, [])


def run(service: JobService, **members: Any) -> dict[str, Any]:
    """What CloudWatch told of the first test."""
    request = job_request("j", ("ml.c5.xlarge",))
    del request["InputConfig"]["ModelPackageVersionArn"]
    request["InputConfig"] |= {"ModelName": "base", **members}
    if "Endpoints" in members:
        del request["InputConfig"]["EndpointConfigurations"], request["InputConfig"]["ModelName"]
    service.create_inference_recommendations_job(request)
    ended(service, "j")
    result = service.run_result("j", 0)
    assert result is not None
    assert result.cloudwatch is not None
    return dict(result.cloudwatch)


def test_the_last_points_are_waited_for_when_the_endpoint_is_gone(
    door: Door, sagemaker: Any, service: JobService, tmp_path: Path
) -> None:
    create_model(sagemaker, "base")
    told = run(service)
    assert told["endpoint"].startswith("sm-epc-")
    assert len(told["missing"]) == 4
    calls = [operation for operation, _ in door.calls]
    assert calls.index("DeleteEndpoint") < calls.index("GetMetricData")
    variants = {each["dimensions"]["VariantName"] for each in told["series"]}
    assert variants == {door.made("CreateEndpointConfig")[0]["ProductionVariants"][0]["VariantName"]}
    assert list((tmp_path / "out").rglob(KEPT_AS)), "it is in the test's folder"


@needs_newer_model
def test_an_existing_endpoint_is_asked_what_it_publishes(door: Door, sagemaker: Any, service: JobService) -> None:
    create_endpoint(sagemaker, "e")
    config = {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 30}
    door.answers["DescribeEndpoint"] = lambda told: {**told, "MetricsConfig": config}
    told = run(service, Endpoints=[{"EndpointName": "e"}])
    assert (told["endpoint"], told["period_s"]) == ("e", {"invocations": 30, "instances": 30})


def test_what_is_no_endpoint_of_sagemaker_is_left_as_it_is() -> None:
    class Given:
        def provide(self, wanted: Wanted, /) -> OpenEndpoint:
            return OpenEndpoint(Subject("e", ()), TargetRef("http://127.0.0.1:1/invocations"))

    with Telling(Given()).provide(None) as endpoint:  # type: ignore[arg-type]
        result = run_of(plan_of(steps=1), lambda s: 40.0)
        assert endpoint.afterwards(result) is result
