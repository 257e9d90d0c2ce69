"""Endpoints that a user creates through moto answer InvokeEndpoint for real, as their model and instance would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_client import connect

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
    before = emulator._endpoints._mocks["changing"]
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
        mock = server._endpoints._mocks["short"]
        assert mock.alive
    assert not mock.alive
