"""A test's subject has all of its model, its package and its endpoint, and the same in both engines."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_client import connect, create_endpoint, create_model, small_job, wait_for_end

from loadtest.emulator.server import EmulatorServer
from loadtest.endpoint.settings import MockSettings
from loadtest.jobs.events import LOG_GROUP
from loadtest.jobs.fleet import Fleet
from loadtest.testing import recommender

C5 = {"InstanceType": "ml.c5.xlarge"}
FOUR = {"OMP_NUM_THREADS": "4"}


@pytest.fixture(scope="module")
def leisurely(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet file with a model so slow that there is little to compute."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.yaml"
    path.write_text("model: {cpu_ms: 400}\nserverless: {setup_ms: 1500, setup_ms_per_gb: 0}\n")
    return path


@pytest.fixture(scope="module")
def emulator(leisurely: Path) -> Iterator[EmulatorServer]:
    with recommender(fleet_file=leisurely) as server:
        yield server


@pytest.fixture(scope="module")
def relaxed(leisurely: Path) -> Iterator[EmulatorServer]:
    with recommender(profile="relaxed", fleet_file=leisurely) as server:
        yield server


def job(name: str, users: int = 3, length_s: int = 120, **config: Any) -> dict[str, Any]:
    request = small_job(name)
    traffic = request["InputConfig"]["TrafficPattern"]
    traffic["Phases"][0] |= {"InitialNumberOfUsers": users, "DurationInSeconds": length_s}
    return {**request, "InputConfig": {"TrafficPattern": traffic, **config}, "StoppingConditions": {}}


def default_job(name: str, **config: Any) -> dict[str, Any]:
    request = job(name, **config)
    del request["StoppingConditions"], request["InputConfig"]["TrafficPattern"]
    return {**request, "JobType": "Default"}


def ran(sagemaker: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The benchmarks of the job, once it has ended."""
    sagemaker.create_inference_recommendations_job(**request)
    wait_for_end(sagemaker, request["JobName"])
    steps = sagemaker.list_inference_recommendations_job_steps(JobName=request["JobName"])["Steps"]
    return [step["InferenceBenchmark"] for step in steps]


def refused(sagemaker: Any, request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        sagemaker.create_inference_recommendations_job(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    message: str = caught.value.response["Error"]["Message"]
    return message


def ranged(*values: str, name: str = "OMP_NUM_THREADS") -> dict[str, Any]:
    ranges = [{"Name": name, "Value": list(values)}]
    return {**C5, "EnvironmentParameterRanges": {"CategoricalParameterRanges": ranges}}


def package(sagemaker: Any, name: str) -> str:
    """A package whose container has four threads, and those of its specification `two` two."""
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    container = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1", "Environment": FOUR}
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    two = {**container, "Environment": {"OMP_NUM_THREADS": "2"}}
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=name,
        Domain="MACHINE_LEARNING",
        Task="OTHER",
        InferenceSpecification={"Containers": [container], **types},
        AdditionalInferenceSpecifications=[{"Name": "two", "Containers": [two]}],
    )["ModelPackageArn"]
    return arn


def test_a_model_s_own_environment_has_the_effect_of_a_range(sagemaker: Any) -> None:
    create_model(sagemaker, "env-plain")
    create_model(sagemaker, "env-four", **FOUR)
    create_endpoint(sagemaker, "env-four", {"ModelName": "env-four", **C5, "InitialInstanceCount": 1})
    (plain,) = ran(sagemaker, job("env-plain", ModelName="env-plain", EndpointConfigurations=[C5]))
    (own,) = ran(sagemaker, job("env-own", ModelName="env-four", EndpointConfigurations=[C5]))
    (range_,) = ran(sagemaker, job("env-range", ModelName="env-plain", EndpointConfigurations=[ranged("4")]))
    (there,) = ran(sagemaker, job("env-there", Endpoints=[{"EndpointName": "env-four"}]))
    assert own["Metrics"] == range_["Metrics"]
    assert own["Metrics"]["MaxInvocations"] < plain["Metrics"]["MaxInvocations"]
    assert there["EndpointMetrics"]["MaxInvocations"] == own["Metrics"]["MaxInvocations"]
    (over,) = ran(sagemaker, job("env-over", ModelName="env-four", EndpointConfigurations=[ranged("1")]))
    assert over["Metrics"]["MaxInvocations"] == pytest.approx(plain["Metrics"]["MaxInvocations"], rel=0.05), (
        "a range goes before the model's own"
    )


def test_a_package_s_environment_and_that_of_its_specifications(sagemaker: Any) -> None:
    arn = package(sagemaker, "env-package")
    two = {**C5, "InferenceSpecificationName": "two"}
    found = ran(sagemaker, job("env-package", ModelPackageVersionArn=arn, EndpointConfigurations=[C5, two]))
    expected = ran(sagemaker, job("env-twice", ModelName="nobody", EndpointConfigurations=[ranged("4", "2")]))
    assert [each["Metrics"] for each in found] == [each["Metrics"] for each in expected]
    sagemaker.create_model(
        ModelName="env-of-package",
        PrimaryContainer={"ModelPackageName": arn},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/R",
    )
    (model,) = ran(sagemaker, job("env-of-package", ModelName="env-of-package", EndpointConfigurations=[C5]))
    assert model["Metrics"] == expected[0]["Metrics"]
    three = {**C5, "InferenceSpecificationName": "three"}
    told = refused(sagemaker, job("env-three", ModelPackageVersionArn=arn, EndpointConfigurations=[three]))
    assert told == "The Model Package version 1 has no inference specification three"


def test_what_a_model_hides_in_its_environment_is_not_kept(sagemaker: Any, emulator: EmulatorServer) -> None:
    create_model(sagemaker, "env-secret", HF_TOKEN="hf_5ec7e7", **FOUR)
    sagemaker.create_inference_recommendations_job(
        **job("env-secret", ModelName="env-secret", EndpointConfigurations=[C5])
    )
    kept = emulator.service.store.get("env-secret")
    assert kept is not None
    assert kept.facts.environment == FOUR


@pytest.mark.parametrize("profile", ["aws", "relaxed"])
def test_existing_endpoints_that_aws_does_not_test(profile: str, sagemaker: Any, relaxed: EmulatorServer) -> None:
    client = sagemaker if profile == "aws" else connect(relaxed.url)
    create_model(client, f"odd-{profile}")
    model = {"ModelName": f"odd-{profile}"}
    serverless = {**model, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}
    instance = {**model, **C5, "InitialInstanceCount": 1}
    create_endpoint(client, f"serverless-{profile}", serverless)
    create_endpoint(client, f"two-{profile}", instance, {**serverless, "InitialVariantWeight": 0.0})
    create_endpoint(client, f"one-{profile}", instance)
    requests = {
        kind: job(f"{kind}-{profile}", 1, Endpoints=[{"EndpointName": f"{kind}-{profile}"}])
        for kind in ("serverless", "two", "one")
    }
    (one,) = ran(client, requests["one"])
    if profile == "aws":
        told = refused(client, requests["serverless"])
        assert told.endswith("its variant v0 is serverless, and only real-time endpoints are supported")
        told = refused(client, requests["two"])
        assert "it has 2 variants, and only one is supported; " in told
        assert "its variant v1 is serverless" in told
        return
    (two,) = ran(client, requests["two"])
    assert two["EndpointMetrics"] == one["EndpointMetrics"], "all requests go to the variant that has the weight"
    (serverless_,) = ran(client, requests["serverless"])
    assert serverless_["EndpointMetrics"]["MaxInvocations"] < one["EndpointMetrics"]["MaxInvocations"], (
        "slower machines"
    )


@pytest.mark.live
def test_both_engines_take_the_same_endpoint_from_the_same_place(leisurely: Path) -> None:
    with recommender(engine="live", profile="relaxed", fleet_file=leisurely) as live:
        sagemaker, runtime = connect(live.url), connect(live.url, "sagemaker-runtime")
        create_model(sagemaker, "same", **FOUR)
        variants = [
            {"ModelName": "same", "InstanceType": "ml.c5.2xlarge", "InitialInstanceCount": 3},
            {"ModelName": "same", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2}},
        ]
        for i, variant in enumerate(variants):
            create_endpoint(sagemaker, f"same-{i}", variant)
        create_endpoint(sagemaker, "same-both", *variants)
        served = live.service.fleet
        virtual = Fleet(served.file, served.catalogue, served.prices, live=False, directory=live.endpoints)
        for i in range(2):
            subject = virtual.existing(f"same-{i}")
            assert subject is not None
            assert served.open(subject).target.ref.endswith(f"/endpoints/same-{i}/invocations")
            settings = live.endpoints.mock(f"same-{i}", "v0").statistics()["settings"]
            assert MockSettings.parse(settings) == MockSettings.parse(virtual.open(subject).target.ref)
        both = virtual.existing("same-both")
        assert both is not None
        assert served.open(both).target.ref == f"{live.url}/endpoints/same-both/invocations", "who knows the weights"
        for name in ("v0", "v1"):
            answer = runtime.invoke_endpoint(EndpointName="same-both", Body=b"{}", TargetVariant=name)
            assert answer["InvokedProductionVariant"] == name
        shares = [MockSettings.parse(ref) for _, ref in virtual.open(both).target.options["variants"]]
        mocks = [live.endpoints.mock("same-both", name).statistics()["settings"] for name in ("v0", "v1")]
        assert shares == [MockSettings.parse(each) for each in mocks]


def test_an_endpoint_that_is_not_there_is_refused(sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/typo"
    told = f'Could not find endpoint "{arn}".'
    assert refused(sagemaker, job("typo", Endpoints=[{"EndpointName": "typo"}])) == told
    assert refused(sagemaker, default_job("typo", Endpoints=[{"EndpointName": "typo"}])) == told
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_inference_recommendations_job(JobName="typo")


def test_an_endpoint_that_goes_before_its_test_fails_it() -> None:
    with recommender() as server:
        sagemaker = connect(server.url)
        create_endpoint(sagemaker, "going")
        create_endpoint(sagemaker, "my-existing-endpoint")
        # The virtual engine runs two jobs at once: the third waits.
        for name in ("first", "second"):
            sagemaker.create_inference_recommendations_job(
                **default_job(name, ModelName="m", Endpoints=[{"EndpointName": "my-existing-endpoint"}])
            )
        sagemaker.create_inference_recommendations_job(**job("third", Endpoints=[{"EndpointName": "going"}]))
        sagemaker.delete_endpoint(EndpointName="going")
        for name in ("first", "second"):
            sagemaker.stop_inference_recommendations_job(JobName=name)
        found = wait_for_end(sagemaker, "third")
        assert found["Status"] == "FAILED"
        assert "Could not find endpoint 'going'" in found["FailureReason"]


def test_a_default_job_of_endpoints_alone_recommends_no_instances(sagemaker: Any) -> None:
    create_endpoint(sagemaker, "alone")
    (only,) = ran(sagemaker, default_job("alone", Endpoints=[{"EndpointName": "alone"}]))
    assert only["EndpointConfiguration"]["EndpointName"] == "alone"
    found = sagemaker.describe_inference_recommendations_job(JobName="alone")
    assert found["EndpointPerformances"][0]["EndpointInfo"] == {"EndpointName": "alone"}
    assert "InferenceRecommendations" not in found


def test_a_default_job_tests_its_own_configurations(sagemaker: Any) -> None:
    limit = {"ResourceLimit": {"MaxNumberOfTests": 1}}
    found = ran(sagemaker, default_job("own", ModelName="m", EndpointConfigurations=[ranged("2", "4")], **limit))
    assert [each["EndpointConfiguration"]["InstanceType"] for each in found] == ["ml.c5.xlarge"] * 2
    assert "MaxNumberOfTests, 1" in found[1]["FailureReason"]
    assert found[0]["ModelConfiguration"]["EnvironmentParameters"][0]["Value"] == "2"


@pytest.mark.parametrize("make", [job, default_job])
def test_burstable_types_are_refused_in_both_types_of_job(make: Any, sagemaker: Any) -> None:
    t2 = {"EndpointConfigurations": [{"InstanceType": "ml.t2.medium"}]}
    supported = {"ContainerConfig": {"SupportedInstanceTypes": ["ml.c5.large", "ml.t2.medium"]}}
    told = refused(sagemaker, make("t2", ModelName="m", **t2, **supported))
    assert told.count("burstable instance types are not allowed") == 2


def test_what_is_named_twice_runs_once(sagemaker: Any) -> None:
    configurations = [ranged("2", "2", "4"), ranged("4", "1"), ranged("2")]
    found = ran(sagemaker, job("twice", ModelName="m", EndpointConfigurations=configurations))
    values = [each["ModelConfiguration"]["EnvironmentParameters"][0]["Value"] for each in found]
    assert values == ["2", "4", "1"]


def test_strict_resources(leisurely: Path) -> None:
    with recommender(strict_resources=True, fleet_file=leisurely) as server:
        sagemaker, s3 = connect(server.url), connect(server.url, "s3", s3={"addressing_style": "path"})
        arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/nobody/1"
        by_package = job("strict", ModelPackageVersionArn=arn, EndpointConfigurations=[C5])
        assert refused(sagemaker, by_package) == f"ModelPackage {arn} does not exist."
        both = job("strict", ModelName="nobody", EndpointConfigurations=[C5], Endpoints=[{"EndpointName": "typo"}])
        own = "arn:aws:sagemaker:us-east-1:123456789012"
        expected = f'Could not find model "{own}:model/nobody".; Could not find endpoint "{own}:endpoint/typo".'
        assert refused(sagemaker, both) == expected
        create_model(sagemaker, "there")
        url = "s3://bucket/payload.tar.gz"
        container = {"PayloadConfig": {"SamplePayloadUrl": url}}
        request = job("strict", ModelName="there", EndpointConfigurations=[C5], ContainerConfig=container)
        ran(sagemaker, request)
        found = sagemaker.describe_inference_recommendations_job(JobName="strict")
        assert found["Status"] == "FAILED"
        assert found["FailureReason"].startswith("PayloadError when calling the InvokeEndpoint operation")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("a.json")
            member.size = 2
            tar.addfile(member, io.BytesIO(b"{}"))
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="payload.tar.gz", Body=archive.getvalue())
        (step,) = ran(sagemaker, {**request, "JobName": "strict-2"})
        assert step["Metrics"]["MaxInvocations"] > 0


def test_a_serverless_inference_costs_what_it_takes(sagemaker: Any) -> None:
    """Not what it was allowed to take: the threshold, which is reported once the latency condition has ended a test."""

    def cost(name: str, concurrency: int) -> float:
        serverless = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency}}
        request = job(name, 1, ModelName="m", EndpointConfigurations=[serverless])
        threshold = {"Percentile": "P95", "ValueInMilliseconds": 1400}
        request["StoppingConditions"] = {"ModelLatencyThresholds": [threshold]}
        request["InputConfig"]["TrafficPattern"]["Phases"][0] |= {"SpawnRate": 1, "DurationInSeconds": 240}
        (step,) = ran(sagemaker, request)
        found: float = step["Metrics"]["CostPerInference"]
        return found

    assert cost("cost-1", 1) == pytest.approx(cost("cost-5", 5), rel=0.2)


def test_an_extrapolated_rate_is_marked_in_the_api(relaxed: EmulatorServer) -> None:
    sagemaker = connect(relaxed.url)
    (short,) = ran(sagemaker, job("short", length_s=10, ModelName="m", EndpointConfigurations=[C5]))
    note = "Note: MaxInvocations is an estimate, extrapolated from 10 s; a full rate takes 60 s"
    assert short["FailureReason"] == note
    (full,) = ran(sagemaker, job("full", ModelName="m", EndpointConfigurations=[C5]))
    assert "FailureReason" not in full
    (line,) = [each for each in _lines(relaxed, "short", short) if "stopped" in each]
    assert note in line


def _lines(server: EmulatorServer, name: str, step: dict[str, Any]) -> list[str]:
    logs = connect(server.url, "logs")
    stream = f"{name}/Endpoint/{step['EndpointConfiguration']['EndpointName']}"
    return [each["message"] for each in logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)["events"]]


def test_what_a_stand_in_does_not_take_is_told(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.json"
    fleet.write_text(json.dumps({"instances": {"ml.c5.xlarge": {"target": "mock:servers=2,service_ms=200"}}}))
    with recommender(fleet_file=fleet) as server:
        sagemaker = connect(server.url)
        other = {**ranged("v", name="FOO"), "InstanceType": "ml.m5.large"}
        stand_in, model = ran(sagemaker, job("told", ModelName="m", EndpointConfigurations=[ranged("4"), other]))
        assert stand_in["ModelConfiguration"]["EnvironmentParameters"] == []
        not_applied = (
            "not applied: OMP_NUM_THREADS=4, because mock:servers=2,service_ms=200 of the fleet file stands in for this "
            "endpoint"
        )
        assert stand_in["FailureReason"] == f"Note: {not_applied}"
        assert any(not_applied in line for line in _lines(server, "told", stand_in))
        assert model["ModelConfiguration"]["EnvironmentParameters"][0]["Value"] == "v"
        without = "without effect on the fleet file's performance model: FOO=v"
        assert model["FailureReason"] == f"Note: {without}"
        assert any(without in line for line in _lines(server, "told", model))


@pytest.mark.live
def test_a_running_test_s_endpoint_can_be_described(leisurely: Path) -> None:
    with recommender(engine="live", profile="relaxed", fleet_file=leisurely) as live:
        sagemaker = connect(live.url)
        create_model(sagemaker, "described")
        serverless = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2}}
        request = job("described", 1, 600, ModelName="described", EndpointConfigurations=[C5, serverless])
        request["InputConfig"]["ResourceLimit"] = {"MaxParallelOfTests": 2}
        sagemaker.create_inference_recommendations_job(**request)
        steps = _running(sagemaker, "described", 2)
        for step, current in zip(steps, ("CurrentInstanceCount", "CurrentServerlessConfig"), strict=True):
            name = step["EndpointConfiguration"]["EndpointName"]
            endpoint = _described(sagemaker, name)
            assert endpoint["EndpointStatus"] == "InService"
            assert endpoint["EndpointArn"].endswith(f":endpoint/{name}")
            (variant,) = endpoint["ProductionVariants"]
            assert variant["VariantName"] == name
            assert current in variant
            configuration = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
            (variant,) = configuration["ProductionVariants"]
            assert variant["ModelName"] == "described"
            assert ("InstanceType" in variant) != ("ServerlessConfig" in variant)
        sagemaker.stop_inference_recommendations_job(JobName="described")
        wait_for_end(sagemaker, "described", 120)
        with pytest.raises(ClientError, match="Could not find endpoint"):
            sagemaker.describe_endpoint(EndpointName=name)


def _running(sagemaker: Any, name: str, count: int) -> list[dict[str, Any]]:
    until_s = time.monotonic() + 120
    while True:
        steps = sagemaker.list_inference_recommendations_job_steps(JobName=name, Status="IN_PROGRESS")["Steps"]
        if len(steps) == count:
            return [step["InferenceBenchmark"] for step in steps]
        assert time.monotonic() < until_s
        time.sleep(0.1)


def _described(sagemaker: Any, name: str) -> dict[str, Any]:
    """Once it is in service: its process may still be starting."""
    until_s = time.monotonic() + 120
    while True:
        try:
            found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
            return found
        except ClientError:
            assert time.monotonic() < until_s
            time.sleep(0.1)
