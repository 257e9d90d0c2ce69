"""Endpoints that a user creates through moto answer InvokeEndpoint for real, as their model and instance would."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from emulator_client import connect, small_job, wait_for_end

from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


@pytest.fixture(scope="module")
def runtime(emulator: EmulatorServer) -> Iterator[Any]:
    client = connect(emulator.url, "sagemaker-runtime")
    yield client
    client.close()


def _create(sagemaker: Any, name: str, **variant: Any) -> None:
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "AllTraffic", "ModelName": name, **variant}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def _code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_users_endpoint_answers_until_it_is_deleted(sagemaker: Any, runtime: Any) -> None:
    _create(sagemaker, "mine", InstanceType="ml.c5.xlarge", InitialInstanceCount=1)
    assert sagemaker.describe_endpoint(EndpointName="mine")["EndpointStatus"] == "InService"
    answer = runtime.invoke_endpoint(EndpointName="mine", Body=b'{"x": 1}', ContentType="application/json")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Body"].read()
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["x-loadtest-model-latency-us"]) > 0
    stream = runtime.invoke_endpoint_with_response_stream(EndpointName="mine", Body=b"{}")
    assert b"".join(event["PayloadPart"]["Bytes"] for event in stream["Body"])
    sagemaker.delete_endpoint(EndpointName="mine")
    with pytest.raises(ClientError, match="Endpoint mine of account 123456789012 not found") as caught:
        runtime.invoke_endpoint(EndpointName="mine", Body=b"{}")
    assert _code(caught) == ("ValidationError", 400)


@pytest.mark.parametrize(
    ("given", "weight"), [({}, 1.0), ({"InitialVariantWeight": 0.0}, 0.0)], ids=["omitted", "zero"]
)
def test_a_variant_has_a_weight_whatever_was_given(given: dict[str, float], weight: float, sagemaker: Any) -> None:
    name = f"weight-{weight:g}"
    _create(sagemaker, name, InstanceType="ml.c5.xlarge", InitialInstanceCount=1, **given)
    (variant,) = sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["DesiredWeight"]) == (weight, weight)
    (configured,) = sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert configured["InitialVariantWeight"] == weight
    changed = [{"VariantName": "AllTraffic", "DesiredWeight": 3.0}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=changed)
    (variant,) = sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert variant["DesiredWeight"] == 3.0
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    assert sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"


@pytest.fixture
def two_variants(sagemaker: Any) -> Iterator[str]:
    """The name of an endpoint of the variants blue, which takes all requests by its weight, and green."""
    sagemaker.create_model(ModelName="two", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    machine = {"ModelName": "two", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    variants = [
        {**machine, "VariantName": "blue", "InitialVariantWeight": 1.0},
        {**machine, "VariantName": "green", "InitialVariantWeight": 0.0, "InstanceType": "ml.m5.large"},
    ]
    sagemaker.create_endpoint_config(EndpointConfigName="two", ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="two")
    yield "two"
    sagemaker.delete_endpoint(EndpointName="two")
    sagemaker.delete_endpoint_config(EndpointConfigName="two")
    sagemaker.delete_model(ModelName="two")


def test_a_variant_answers_by_its_own_name(two_variants: str, sagemaker: Any, runtime: Any) -> None:
    def answered(**parameters: str) -> str:
        answer = runtime.invoke_endpoint(EndpointName=two_variants, Body=b"{}", **parameters)
        assert answer["Body"].read()
        variant: str = answer["InvokedProductionVariant"]
        return variant

    assert {answered() for _ in range(10)} == {"blue"}, "green has the weight 0"
    assert (answered(TargetVariant="green"), answered(TargetVariant="blue")) == ("green", "blue")
    stream = runtime.invoke_endpoint_with_response_stream(EndpointName=two_variants, Body=b"{}", TargetVariant="green")
    assert stream["InvokedProductionVariant"] == "green"
    assert list(stream["Body"])
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=two_variants,
        DesiredWeightsAndCapacities=[
            {"VariantName": "blue", "DesiredWeight": 0.0},
            {"VariantName": "green", "DesiredWeight": 2.0},
        ],
    )
    assert {answered() for _ in range(10)} == {"green"}


@pytest.mark.parametrize("operation", ["invoke_endpoint", "invoke_endpoint_with_response_stream"])
def test_a_variant_that_does_not_exist_is_refused(operation: str, two_variants: str, runtime: Any) -> None:
    for variant in ("Blue", "AllTraffic", "two"):
        with pytest.raises(ClientError, match=f"Variant {variant} of endpoint two of account 123456789012") as caught:
            getattr(runtime, operation)(EndpointName=two_variants, Body=b"{}", TargetVariant=variant)
        assert _code(caught) == ("ValidationError", 400)


def test_a_jobs_metrics_name_the_variant_of_an_existing_endpoint(sagemaker: Any, emulator: EmulatorServer) -> None:
    _create(sagemaker, "only", VariantName="blue", InstanceType="ml.c5.xlarge", InitialInstanceCount=1)
    job = small_job("of-blue")
    job["InputConfig"]["Endpoints"] = [{"EndpointName": "only"}]
    del job["InputConfig"]["EndpointConfigurations"]
    sagemaker.create_inference_recommendations_job(**job)
    wait_for_end(sagemaker, "of-blue")
    (step,) = sagemaker.list_inference_recommendations_job_steps(JobName="of-blue")["Steps"]
    assert step["InferenceBenchmark"]["EndpointConfiguration"]["VariantName"] == "blue"
    of_endpoint = [{"Name": "EndpointName", "Value": "only"}]
    cloudwatch = connect(emulator.url, "cloudwatch")
    metrics = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=of_endpoint)["Metrics"]
    cloudwatch.close()
    named = {each["Value"] for metric in metrics for each in metric["Dimensions"] if each["Name"] == "VariantName"}
    assert named == {"blue"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/endpoints/ep/invocations/"),
        ("POST", "/endpoints/ep/invocations-response-stream/"),
        ("POST", "/endpoints/ep/invocation"),
        ("POST", "/endpoints/ep/invocations/more"),
        ("POST", "/endpoints/ep"),
        ("POST", "/endpoints//invocations"),
        ("POST", "/endpoints/"),
        ("POST", "/endpoints/a/b/invocations"),
        ("POST", "/endpoints/a%2Fb/invocations"),
        ("POST", "/endpoints/ep/%00/invocations"),
        ("GET", "/endpoints/ep/invocations"),
        ("PUT", "/endpoints/ep/invocations"),
        ("DELETE", "/endpoints/ep/invocations"),
    ],
)
def test_paths_beside_the_runtime_api_are_no_operation(method: str, path: str, emulator: EmulatorServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    for headers in ({}, {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sagemaker/aws4_request"}):
        connection.request(method, path, b"{}", headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
    connection.close()


def test_a_bucket_may_be_called_endpoints(emulator: EmulatorServer) -> None:
    s3 = connect(emulator.url, "s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="endpoints")
    s3.put_object(Bucket="endpoints", Key="ep/invocations/", Body=b"x")
    assert s3.get_object(Bucket="endpoints", Key="ep/invocations/")["Body"].read() == b"x"
    s3.close()


def test_a_bigger_instance_answers_sooner(sagemaker: Any, runtime: Any) -> None:
    environment = {"OMP_NUM_THREADS": "8"}
    container = {"Image": IMAGE, "Environment": environment}
    sagemaker.create_model(ModelName="sized", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    latency_us = {}
    for instance_type in ("ml.m5.large", "ml.c5.4xlarge"):
        name = instance_type.replace(".", "-")
        variant = {"VariantName": "v", "ModelName": "sized", "InstanceType": instance_type, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        heads = [
            runtime.invoke_endpoint(EndpointName=name, Body=b"{}")["ResponseMetadata"]["HTTPHeaders"] for _ in range(9)
        ]
        latency_us[instance_type] = sorted(int(head["x-loadtest-model-latency-us"]) for head in heads)[4]
    # The model's own times, not this machine's: 8 threads on 16 vCPUs against 2, and faster cores.
    assert latency_us["ml.c5.4xlarge"] < 0.7 * latency_us["ml.m5.large"]


def test_a_changed_endpoint_is_looked_up_again(sagemaker: Any, runtime: Any, emulator: EmulatorServer) -> None:
    _create(sagemaker, "changing", InstanceType="ml.m5.large", InitialInstanceCount=1)
    runtime.invoke_endpoint(EndpointName="changing", Body=b"{}")
    before = emulator.endpoints.mock("changing", "AllTraffic")
    variant = {"VariantName": "v", "ModelName": "changing", "InstanceType": "ml.c5.9xlarge", "InitialInstanceCount": 2}
    sagemaker.create_endpoint_config(EndpointConfigName="changed", ProductionVariants=[variant])
    with contextlib.suppress(ClientError):  # moto 5.2 has no UpdateEndpoint
        sagemaker.update_endpoint(EndpointName="changing", EndpointConfigName="changed")
    assert not before.alive
    runtime.invoke_endpoint(EndpointName="changing", Body=b"{}")


def test_a_serverless_endpoint_starts_cold(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("serverless: {setup_ms: 300, setup_ms_per_gb: 0}\n")
    with recommender(fleet_file=fleet) as server:
        runtime = connect(server.url, "sagemaker-runtime")
        _create(connect(server.url), "cold", ServerlessConfig={"MemorySizeInMB": 4096, "MaxConcurrency": 1})
        answers = [runtime.invoke_endpoint(EndpointName="cold", Body=b"{}")["ResponseMetadata"] for _ in range(2)]
    # The model's own times, which no load on this machine changes.
    first_us, second_us = (int(answer["HTTPHeaders"]["x-loadtest-model-latency-us"]) for answer in answers)
    assert first_us > 300_000 > second_us


def test_unknown_endpoints_and_large_bodies(runtime: Any) -> None:
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName="nobody", Body=b"{}")
    assert _code(caught) == ("ValidationError", 400)
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName="nobody", Body=b"0" * (6_291_456 + 1))
    assert _code(caught) == ("ValidationError", 413)


def test_a_model_that_does_not_fit_is_a_model_error(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("model: {memory_mb: 20000}\n")
    with recommender(fleet_file=fleet) as server:
        runtime = connect(server.url, "sagemaker-runtime")
        _create(connect(server.url), "tiny", InstanceType="ml.c5.large", InitialInstanceCount=1)
        with pytest.raises(runtime.exceptions.ModelError, match="do not fit"):
            runtime.invoke_endpoint(EndpointName="tiny", Body=b"{}")


def test_a_fleet_file_maps_an_endpoint_to_a_mock(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("endpoints:\n  mapped: {target: 'mock:servers=1,service_ms=3,response_bytes=7'}\n")
    with recommender(fleet_file=fleet) as server:
        runtime = connect(server.url, "sagemaker-runtime")
        assert runtime.invoke_endpoint(EndpointName="mapped", Body=b"{}")["Body"].read() == b"0" * 7


def test_no_mock_outlives_the_emulator() -> None:
    with recommender() as server:
        _create(connect(server.url), "short", InstanceType="ml.c5.xlarge", InitialInstanceCount=1)
        connect(server.url, "sagemaker-runtime").invoke_endpoint(EndpointName="short", Body=b"{}")
        mock = server.endpoints.mock("short", "AllTraffic")
        assert mock.alive
    assert not mock.alive
