"""The mock endpoint as the real boto3 client sees it: every answer parses, every error is the class it should be."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mock_wire import Wire, post

from loadtest.mock.process import MockProcess
from loadtest.mock.request import MAX_BODY_BYTES

StartMock = Callable[..., MockProcess]


@pytest.fixture
def client_of() -> Iterator[Callable[[MockProcess], Any]]:
    clients = []

    def make(process: MockProcess, attempts: int = 1) -> Any:
        client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=process.url,
            region_name="us-east-1",
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": attempts}, read_timeout=20),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def test_invoke_endpoint(endpoint: MockProcess, client_of: Callable[..., Any]) -> None:
    answer = client_of(endpoint).invoke_endpoint(
        EndpointName="my-endpoint",
        Body=b'{"inputs": "x"}',
        ContentType="application/json",
        Accept="application/json",
        CustomAttributes="trace=1",
        TargetVariant="blue",
        InferenceId="i-1",
        SessionId="NEW_SESSION",
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36
    assert answer["InvokedProductionVariant"] == "blue"
    assert answer["CustomAttributes"] == "trace=1"
    assert answer["ContentType"] == "application/json"
    assert "; Expires=" in answer["NewSessionId"]
    assert answer["Body"].read() == b'{"predictions": [[0.5]]}'


def test_a_body_from_a_file_waits_for_100_continue(endpoint: MockProcess, client_of: Callable[..., Any]) -> None:
    answer = client_of(endpoint).invoke_endpoint(EndpointName="e", Body=io.BytesIO(b"1,2,3"), ContentType="text/csv")
    assert answer["Body"].read() == b'{"predictions": [[0.5]]}'


def test_invoke_endpoint_with_response_stream(start_mock: StartMock, client_of: Callable[..., Any]) -> None:
    client = client_of(start_mock("service_ms=1,parts=5,part_gap_ms=2,response_bytes=1003"))
    answer = client.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"{}", Accept="text/plain")
    assert answer["ContentType"] == "text/plain"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    parts = [event["PayloadPart"]["Bytes"] for event in answer["Body"]]
    assert len(parts) == 5
    assert b"".join(parts) == b"0" * 1003


@pytest.mark.parametrize("operation", ["invoke_endpoint", "invoke_endpoint_with_response_stream"])
def test_model_errors_carry_the_containers_answer(
    start_mock: StartMock, client_of: Callable[..., Any], operation: str
) -> None:
    client = client_of(start_mock("service_ms=1,error_ratio=1"))
    with pytest.raises(client.exceptions.ModelError) as caught:
        getattr(client, operation)(EndpointName="my-endpoint", Body=b"{}")
    found = caught.value.response
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert found["OriginalStatusCode"] == 500
    assert found["OriginalMessage"]
    assert found["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/my-endpoint")
    assert found["Error"]["Code"] == "ModelError"
    assert found["Error"]["Message"].startswith("Received server error (500) from primary")


def test_unknown_endpoints_and_bad_names_are_validation_errors(
    start_mock: StartMock, client_of: Callable[..., Any]
) -> None:
    client = client_of(start_mock("service_ms=0,name=mine"))
    for name, words in [("other", "not found"), ("a_b", "regular expression"), ("a" * 64, "length less than")]:
        with pytest.raises(client.exceptions.ValidationError, match=words) as caught:
            client.invoke_endpoint(EndpointName=name, Body=b"{}")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert client.invoke_endpoint(EndpointName="mine", Body=b"{}")["Body"].read()


def test_a_variant_answers_by_its_name_and_no_other_exists(
    start_mock: StartMock, client_of: Callable[..., Any]
) -> None:
    client = client_of(start_mock("service_ms=0,variant=blue"))
    for parameters in ({}, {"TargetVariant": "blue"}):
        answer = client.invoke_endpoint(EndpointName="e", Body=b"{}", **parameters)
        assert (answer["InvokedProductionVariant"], answer["Body"].read() != b"") == ("blue", True)
    for variant in ("green", "AllTraffic", "Blue"):
        with pytest.raises(client.exceptions.ValidationError, match=f"Variant {variant} of endpoint e"):
            client.invoke_endpoint(EndpointName="e", Body=b"{}", TargetVariant=variant)
        with pytest.raises(client.exceptions.ValidationError, match=f"Variant {variant} of endpoint e"):
            client.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"{}", TargetVariant=variant)


def test_a_full_queue_is_throttling_which_boto3_tries_again(
    start_mock: StartMock, client_of: Callable[..., Any]
) -> None:
    process = start_mock("servers=1,service_ms=60000,queue=0")
    client = client_of(process)
    first = Wire(process.url)
    first.send(post())
    while process.statistics()["in_flight"] < 1:
        pass
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="e", Body=b"{}")
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert process.statistics()["throttled"] == 1
    with pytest.raises(ClientError, match="reached max retries: 1"):
        client_of(process, attempts=2).invoke_endpoint(EndpointName="e", Body=b"{}")
    assert process.statistics()["throttled"] == 3
    first.reset()


def test_a_body_over_the_limit_is_413(endpoint: MockProcess, client_of: Callable[..., Any]) -> None:
    client = client_of(endpoint)
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="e", Body=b"x" * (MAX_BODY_BYTES + 1))
    assert caught.value.response["Error"]["Code"] == "413"
    assert caught.value.response["Error"]["Message"] == f"HTTP content length exceeded {MAX_BODY_BYTES} bytes."
    assert client.invoke_endpoint(EndpointName="e", Body=b"x" * MAX_BODY_BYTES)["Body"].read()
