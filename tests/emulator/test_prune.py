"""Answers of SageMaker without what AWS would not send."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from loadtest.emulator.model import output_shape
from loadtest.emulator.prune import pruned
from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


@pytest.mark.parametrize(
    ("operation", "answer", "expected"),
    [
        ("DescribeModel", {"ModelName": "m", "VpcConfig": {}}, {"ModelName": "m"}),
        ("DescribeModel", {"ModelName": "m", "VpcConfig": None, "Internal": 1}, {"ModelName": "m"}),
        ("DescribeModel", {"VpcConfig": {"Subnets": [], "SecurityGroupIds": None}}, {}),
        ("DescribeModel", {"Containers": []}, {}),
        ("ListTags", {"Tags": []}, {"Tags": []}),  # a list that is asked for is told, also if nothing is in it
        ("ListModels", {"Models": []}, {"Models": []}),
        (
            "DescribeModel",
            {"PrimaryContainer": {"Image": "i", "Environment": {}, "MultiModelConfig": {}}},
            {"PrimaryContainer": {"Image": "i", "Environment": {}}},
        ),
        ("DescribeEndpointConfig", {"DataCaptureConfig": {}, "EnableNetworkIsolation": False}, None),
        ("ListModels", {"Models": [{"ModelName": "m", "X": {}}, None]}, {"Models": [{"ModelName": "m"}]}),
        ("DescribeAutoMLJobV2", {"AutoMLJobInputDataConfig": [], "FailureReason": ""}, {"FailureReason": ""}),
        # What is no such structure is not ours to judge.
        ("DescribeModel", {"PrimaryContainer": "odd", "VpcConfig": 3}, {"PrimaryContainer": "odd", "VpcConfig": 3}),
    ],
)
def test_pruned(operation: str, answer: dict[str, Any], expected: dict[str, Any] | None) -> None:
    shape = output_shape(operation)
    assert shape is not None
    assert pruned(answer, shape) == ({"EnableNetworkIsolation": False} if expected is None else expected)


def test_a_structure_without_members_in_the_model_is_a_mark() -> None:
    shape = output_shape("DescribeAutoMLJobV2")
    assert shape is not None
    for name, member in shape.members.items():
        if member.type_name == "structure" and not member.members:  # type: ignore[attr-defined]
            assert pruned({name: {}}, shape) == {name: {}}


def test_operations_without_output_or_unknown_have_no_shape() -> None:
    assert output_shape("DeleteModel") is None
    assert output_shape("NoSuchOperation") is None


def _create_all(sagemaker: Any) -> None:
    machine = {"VariantName": "v", "ModelName": "plain", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_model(ModelName="plain", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    sagemaker.create_endpoint_config(EndpointConfigName="plain", ProductionVariants=[machine])
    sagemaker.create_endpoint(EndpointName="plain", EndpointConfigName="plain")


DESCRIBED = {
    "DescribeModel": {"ModelName": "plain"},
    "DescribeEndpointConfig": {"EndpointConfigName": "plain"},
    "DescribeEndpoint": {"EndpointName": "plain"},
}


def _empties(value: Any, path: str = "") -> list[str]:
    """Where there are empty structures or nulls on the wire."""
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in _empties(item, f"{path}.{name}")] or (
            [] if value else [path]
        )
    if isinstance(value, list):
        return [found for item in value for found in _empties(item, path)]
    return [path] if value is None else []


def _document(url: str, operation: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    scope = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": scope,
    }
    connection.request("POST", "/", json.dumps(DESCRIBED[operation]).encode(), headers)
    answer = connection.getresponse()
    document: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert answer.status == 200
    return document


def test_nothing_empty_is_on_the_wire_of_moto_or_an_upstream(emulator: EmulatorServer, sagemaker: Any) -> None:
    _create_all(sagemaker)
    with recommender(upstream=emulator.url) as behind:
        for url in (emulator.url, behind.url):
            for operation in DESCRIBED:
                found = [path for path in _empties(_document(url, operation)) if not path.endswith(".Environment")]
                assert not found, f"{operation}: an empty map is a value, these are not"
