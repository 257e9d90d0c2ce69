"""Endpoints made in a real moto for the tests of a job: what is made, what fails, and that nothing stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door, Refusal
from emulator_client import create_model
from jobkit import HandEngine, Heard, awaited, ended, job_request

from loadtest.aws.budget import Budget
from loadtest.aws.clients import Clients
from loadtest.aws.cost import known_prices
from loadtest.aws.deploy import Deployment
from loadtest.aws.journal import Journal, Made, read_journal
from loadtest.aws.removal import JOB_TAG, remove, tagged
from loadtest.jobs.service import open_service

pytestmark = pytest.mark.live  # a moto server, and many calls

TYPES = ("ml.c5.xlarge", "ml.m5.xlarge")
THREADS = {"EnvironmentParameterRanges": {"CategoricalParameterRanges": [{"Name": "T", "Value": ["1", "2"]}]}}
MAKES = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint")
DELETES = ("DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel")


class Account:
    """A job's service whose endpoints are made behind the door."""

    def __init__(self, door: Door, clients: Clients, folder: Path, engine: HandEngine) -> None:
        self.door, self.journal, self.heard = door, Journal(folder / "j.jsonl"), Heard()
        self.budget = Budget(100)
        provider = Deployment(clients, self.journal, self.budget, known_prices("us-east-1"), poll_s=0.01)
        self.service = open_service(engine=engine, profile="relaxed", provider=provider, events=self.heard)

    def run(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The steps, after the end."""
        self.service.create_inference_recommendations_job(request)
        ended(self.service, request["JobName"])
        steps = self.service.list_inference_recommendations_job_steps({"JobName": request["JobName"]})["Steps"]
        return list(steps)


@pytest.fixture
def account(door: Door, clients: Clients, tmp_path: Path) -> Iterator[Callable[..., Account]]:
    made: list[Account] = []

    def make(engine: HandEngine | None = None) -> Account:
        made.append(Account(door, clients, tmp_path, engine or HandEngine(released=True)))
        return made[-1]

    yield make
    for each in made:
        each.service.close()


def _there(sagemaker: Any) -> list[str]:
    endpoints = [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]]
    configs = [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    models = [each["ModelName"] for each in sagemaker.list_models()["Models"]]
    return [name for name in (*endpoints, *configs, *models) if name != "base"]


def _request(name: str = "j", types: tuple[str, ...] = TYPES[:1], **changes: Any) -> dict[str, Any]:
    request = job_request(name, types, **changes)
    del request["InputConfig"]["ModelPackageVersionArn"]
    request["InputConfig"]["ModelName"] = "base"
    return request


def _reason(step: dict[str, Any]) -> str:
    return str(step["InferenceBenchmark"].get("FailureReason", ""))


def test_two_instance_types_with_two_environments_are_made_as_asked_and_gone(
    door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base", KEPT="yes", T="0")
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    request = _request(
        EndpointConfigurations=[{"InstanceType": each, **THREADS} for each in TYPES],
        VpcConfig=vpc,
        VolumeKmsKeyId="key-1",
    )
    request["Tags"] = [{"Key": "team", "Value": "a"}]
    run = account()
    steps = run.run(request)
    assert [each["Status"] for each in steps] == ["COMPLETED"] * 4, [_reason(each) for each in steps]
    models = door.made("CreateModel")
    environments = [each["PrimaryContainer"]["Environment"] for each in models]
    assert sorted(each["T"] for each in environments) == ["1", "1", "2", "2"]
    assert all(each["KEPT"] == "yes" for each in environments)
    assert all(each["VpcConfig"] == vpc and each["ModelName"].startswith("j-") for each in models)
    configs = door.made("CreateEndpointConfig")
    assert sorted(each["ProductionVariants"][0]["InstanceType"] for each in configs) == sorted(TYPES * 2)
    assert {each["KmsKeyId"] for each in configs} == {"key-1"}
    for each in (*models, *configs, *door.made("CreateEndpoint")):
        assert each["Tags"] == [{"Key": JOB_TAG, "Value": "j"}, {"Key": "team", "Value": "a"}]
    assert all(each["EndpointName"].startswith("sm-epc-") for each in door.made("CreateEndpoint"))
    assert _there(sagemaker) == []
    assert run.journal.close()
    assert run.budget.spent_usd > 0


def test_a_package_with_a_specification_and_a_serverless_configuration(
    door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    configurations = [
        {"ServerlessConfig": serverless, "InferenceSpecificationName": "fast"},
    ]
    (step,) = account().run(job_request("j", EndpointConfigurations=configurations, VolumeKmsKeyId="key-1"))
    assert step["Status"] == "COMPLETED", _reason(step)
    (model,), (config,) = door.made("CreateModel"), door.made("CreateEndpointConfig")
    package = "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1"
    assert model["PrimaryContainer"] == {"ModelPackageName": package, "InferenceSpecificationName": "fast"}
    assert config["ProductionVariants"][0]["ServerlessConfig"] == serverless
    assert "KmsKeyId" not in config, "a serverless endpoint has no volume"
    assert _there(sagemaker) == []


@pytest.mark.parametrize("operation", MAKES)
def test_a_refusal_fails_that_test_in_awss_words_and_the_others_go_on(
    operation: str, door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    seen: list[int] = []

    def first(_: dict[str, Any]) -> Refusal | None:
        seen.append(1)
        return Refusal("ResourceLimitExceeded", "quota of ml.c5.xlarge is 0") if len(seen) == 1 else None

    door.refuse[operation] = first
    run = account()
    request = _request(types=TYPES)
    request["InputConfig"]["ResourceLimit"] = {"MaxParallelOfTests": 1}
    steps = run.run(request)
    assert [each["Status"] for each in steps] == ["FAILED", "COMPLETED"]
    assert len(door.made("CreateEndpoint")) == (2 if operation == "CreateEndpoint" else 1)
    assert f"ResourceLimitExceeded when calling {operation}: quota of ml.c5.xlarge is 0" in _reason(steps[0])
    assert _there(sagemaker) == []
    assert run.journal.close()


@pytest.mark.parametrize("operation", MAKES)
def test_what_was_made_though_its_answer_was_lost_is_removed(
    operation: str, door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    # Made, and answered by an error that says nothing of it: botocore sends it again, and it is there already.
    door.refuse[operation] = Refusal("InternalFailure", "no answer", 500, then=True)
    run = account()
    run.run(_request())
    assert _there(sagemaker) == []
    assert run.journal.close()


@pytest.mark.parametrize("operation", DELETES)
def test_what_cannot_be_deleted_is_said_stays_in_the_journal_and_is_cleaned_up_later(
    operation: str, door: Door, sagemaker: Any, clients: Clients, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    door.refuse[operation] = Refusal("AccessDeniedException", "may not")
    run = account()
    (step,) = run.run(_request())
    assert step["Status"] == "COMPLETED", "what was measured is kept"
    assert f"AccessDeniedException when calling {operation}: may not" in _reason(step)
    assert not run.journal.close()
    left = read_journal(run.journal.path).left
    assert len(left) == 1
    assert left[0].name in _there(sagemaker)
    door.refuse.clear()
    assert list(tagged(clients, "j")) == [left[0]]
    for _ in range(2):  # again is no error
        remove(clients, left[0], lambda _: True)
    assert _there(sagemaker) == []
    assert list(tagged(clients, "j")) == []


def test_credentials_that_expire_in_the_middle_leave_what_the_journal_says(
    door: Door, sagemaker: Any, clients: Clients, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    engine = HandEngine()
    run = account(engine)
    run.service.create_inference_recommendations_job(_request())
    awaited(lambda: run.door.made("DescribeEndpoint"), bool)
    awaited(engine.started.qsize, bool)
    door.refuse["*"] = Refusal("ExpiredTokenException", "The security token included in the request is expired", 403)
    engine.release()
    ended(run.service, "j")
    (step,) = run.service.list_inference_recommendations_job_steps({"JobName": "j"})["Steps"]
    assert "ExpiredTokenException when calling DeleteEndpoint" in _reason(step)
    assert "loadtest cleanup --journal" in _reason(step)
    assert not run.journal.close()
    left = read_journal(run.journal.path).left
    assert [each.kind for each in left] == ["endpoint", "endpoint-config", "model"]
    door.refuse.clear()
    for each in left:
        remove(clients, each, lambda _: True)
    assert _there(sagemaker) == []


def test_a_host_that_is_gone_leaves_what_the_journal_says(
    door: Door, sagemaker: Any, clients: Clients, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    engine = HandEngine()
    run = account(engine)
    run.service.create_inference_recommendations_job(_request())
    awaited(engine.started.qsize, bool)
    door.gone = True
    engine.release()
    ended(run.service, "j")
    (step,) = run.service.list_inference_recommendations_job_steps({"JobName": "j"})["Steps"]
    assert step["Status"] == "COMPLETED", "what was measured is kept"
    assert "loadtest cleanup --journal" in _reason(step)
    assert not run.journal.close()
    left = read_journal(run.journal.path).left
    assert [each.kind for each in left] == ["endpoint", "endpoint-config", "model"]
    door.gone = False
    for each in left:
        remove(clients, each, lambda _: True)
    assert _there(sagemaker) == []


@pytest.mark.parametrize("operation", MAKES[:2])
def test_a_stop_between_two_creates_makes_no_more_and_takes_away_what_was_made(
    operation: str, door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    run = account()

    def stop(called: str) -> None:
        if called == operation:
            run.service.stop_inference_recommendations_job({"JobName": "j"})

    door.on_call = stop
    (step,) = run.run(_request())
    assert step["Status"] == "STOPPED"
    assert not door.made("CreateEndpoint")
    assert _there(sagemaker) == []
    assert run.journal.close()


def test_an_endpoint_that_fails_says_why_and_one_that_takes_long_is_given_up_when_the_job_ends(
    door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    failed = {"EndpointStatus": "Failed", "FailureReason": "the container did not pass the health check"}
    door.answers["DescribeEndpoint"] = lambda told: {**told, **failed}
    run = account()
    (step,) = run.run(_request())
    assert "is Failed: the container did not pass the health check" in _reason(step)
    assert _there(sagemaker) == []
    door.answers["DescribeEndpoint"] = lambda told: {**told, "EndpointStatus": "Creating"}
    before = len(door.made("DescribeEndpoint"))
    run.service.create_inference_recommendations_job(_request("k"))
    awaited(lambda: len(door.made("DescribeEndpoint")) > before + 2, bool)
    run.service.stop_inference_recommendations_job({"JobName": "k"})
    assert ended(run.service, "k")["Status"] == "STOPPED"
    assert _there(sagemaker) == []
    assert run.journal.close()


def test_an_endpoint_that_is_still_being_created_is_deleted_as_soon_as_it_may_be(
    door: Door, sagemaker: Any, clients: Clients
) -> None:
    create_model(sagemaker, "base")
    variant = {"VariantName": "v", "ModelName": "base", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    door.refuse["DeleteEndpoint"] = Refusal("ValidationException", "Cannot update in-progress endpoint")
    door.answers["DescribeEndpoint"] = lambda told: {**told, "EndpointStatus": "Creating"}
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        door.refuse.clear()
        door.answers.clear()
        return True

    remove(clients, Made("endpoint", "e"), wait)
    assert waits
    assert sagemaker.list_endpoints()["Endpoints"] == []


def test_a_budget_that_is_used_up_ends_every_test_and_deletes_all(
    door: Door, sagemaker: Any, account: Callable[..., Account]
) -> None:
    create_model(sagemaker, "base")
    engine = HandEngine()
    run = account(engine)
    run.service.create_inference_recommendations_job(_request(types=TYPES))
    awaited(engine.started.qsize, lambda plans: plans == 2)
    run.budget.usd = 1e-9
    threading.Thread(target=run.budget.look).start()
    assert ended(run.service, "j")["Status"] == "STOPPED", "what was cut short is not completed"
    steps = run.service.list_inference_recommendations_job_steps({"JobName": "j"})["Steps"]
    assert [each["Status"] for each in steps] == ["STOPPED"] * 2
    assert run.budget.cut_short
    assert any("is used up" in line for _, line, _ in run.heard.lines)
    assert _there(sagemaker) == []
    assert run.journal.close()
