"""What an existing endpoint is found to be, and who is told that it cannot be loaded."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aws_front import Door, Refusal
from emulator_client import connect, create_endpoint, create_model

from loadtest.aws.clients import Clients
from loadtest.aws.counting import InstanceWatch
from loadtest.aws.endpoint import inspect_endpoint, scales
from loadtest.aws.warmup import warm_up
from loadtest.errors import TargetError
from loadtest.report.existing import endpoint_words

pytestmark = pytest.mark.live  # a moto server, and many calls

BODY, KIND = b"{}", "application/json"


def test_variants_scaling_and_capture_as_they_are(door: Door, sagemaker: Any, clients: Clients) -> None:
    create_model(sagemaker, "m")
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    create_endpoint(
        sagemaker,
        "both",
        {"ModelName": "m", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2, "InitialVariantWeight": 3.0},
        {"ModelName": "m", "ServerlessConfig": serverless, "InitialVariantWeight": 1.0},
    )
    scaler = connect(door.behind, "application-autoscaling")
    of = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/both/variant/v0",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaler.register_scalable_target(**of, MinCapacity=2, MaxCapacity=6)
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    scaler.put_scaling_policy(
        **of,
        PolicyName="by-load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 70.0, "PredefinedMetricSpecification": metric},
    )
    found = inspect_endpoint(clients, "both")
    assert [(each["name"], each["weight"]) for each in found["variants"]] == [("v0", 3.0), ("v1", 1.0)]
    assert found["variants"][0]["instance_type"] == "ml.m5.xlarge"
    assert found["variants"][0]["instance_count"] == 2
    assert found["variants"][1]["serverless"]["memory_mb"] == 2048
    assert scales(found)
    said = "\n".join(endpoint_words(found))
    assert "2 x ml.m5.xlarge, weight 3" in said
    assert "serverless, 2048 MB, 5 at once" in said
    assert "2 to 6, SageMakerVariantInvocationsPerInstance at 70" in said


def test_what_only_real_endpoints_tell_is_said(door: Door, sagemaker: Any, clients: Clients) -> None:
    create_endpoint(sagemaker, "e")
    capture = {"EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 25}
    door.answers["DescribeEndpoint"] = lambda told: {**told, "DataCaptureConfig": capture}
    managed = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4}
    more = {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}, "ManagedInstanceScaling": managed}
    door.answers["DescribeEndpointConfig"] = lambda told: {
        **told,
        "ProductionVariants": [{**each, **more} for each in told["ProductionVariants"]],
    }
    found = inspect_endpoint(clients, "e")
    said = "\n".join(endpoint_words(found))
    assert "data capture is on (25 % of requests)" in said
    assert "managed scaling from 1 to 4, routing LEAST_OUTSTANDING_REQUESTS" in said
    assert scales(found)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal("UnrecognizedClientException", "The security token is invalid"), "does not take the credentials"),
        (Refusal("ExpiredTokenException", "expired", 403), "does not take the credentials"),
        (Refusal("InvalidSignatureException", "no match", 403), "does not take the credentials"),
    ],
)
def test_credentials_that_are_refused_end_it(door: Door, clients: Clients, refusal: Refusal, words: str) -> None:
    door.refuse["*"] = refusal
    with pytest.raises(TargetError, match=words):
        inspect_endpoint(clients, "e")


def test_an_unknown_endpoint_or_one_that_is_not_in_service_ends_it(
    door: Door, sagemaker: Any, clients: Clients
) -> None:
    with pytest.raises(TargetError, match="there is no endpoint nowhere in us-east-1"):
        inspect_endpoint(clients, "nowhere")
    create_endpoint(sagemaker, "e")
    failed = {"EndpointStatus": "Failed", "FailureReason": "no capacity"}
    door.answers["DescribeEndpoint"] = lambda told: {**told, **failed}
    with pytest.raises(TargetError, match="e is Failed, not InService: no capacity"):
        inspect_endpoint(clients, "e")


def test_nothing_permitted_is_said_and_no_failure(door: Door, sagemaker: Any, clients: Clients) -> None:
    create_endpoint(sagemaker, "e")
    denied = Refusal("AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint")
    door.refuse["DescribeEndpoint"] = denied
    found = inspect_endpoint(clients, "e")
    (line,) = endpoint_words(found)
    assert "AccessDeniedException when calling DescribeEndpoint: not authorized" in line
    assert not scales(found)
    assert warm_up(clients, "e", BODY, KIND, {})["answer"] == "ok"


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (Refusal("ModelNotReadyException", "loading", 429), "cold"),
        (Refusal("ModelError", "Received 500 from primary", 424), "model-error"),
        (Refusal("InternalDependencyException", "later", 530), "dependency"),
        (Refusal("ThrottlingException", "slower", 400), "failed"),
    ],
)
def test_a_warm_up_that_fails_says_what_kind_of_failure_it_is(
    door: Door, clients: Clients, refusal: Refusal, answer: str
) -> None:
    door.refuse["InvokeEndpoint"] = refusal
    found = warm_up(clients, "e", BODY, KIND, {})
    assert (found["answer"], found["status"]) == (answer, refusal.status)
    assert refusal.message in found["words"]
    assert len(door.made("InvokeEndpoint")) == 1, "it is sent once"


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal("AccessDeniedException", "no", 403), "does not permit sagemaker:InvokeEndpoint on arn:.*endpoint/e"),
        (Refusal("ValidationError", "Endpoint e of account 1 not found."), "region us-east-1, in the account"),
        (Refusal("IncompleteSignature", "no", 403), "does not take the credentials"),
    ],
)
def test_a_warm_up_that_no_request_could_follow_ends_it(
    door: Door, clients: Clients, refusal: Refusal, words: str
) -> None:
    door.refuse["InvokeEndpoint"] = refusal
    with pytest.raises(TargetError, match=words):
        warm_up(clients, "e", BODY, KIND, {})


def test_an_address_where_nobody_is_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    alone = Clients({"endpoint_url": url, "region": "us-east-1"})
    assert "EndpointConnectionError" in inspect_endpoint(alone, "e")["unknown"][0]  # the runtime may have another way
    with pytest.raises(TargetError, match=f"the endpoint e cannot be reached: .*{url}"):
        warm_up(alone, "e", BODY, KIND, {})


def test_changes_of_the_instances_are_seen_with_their_time(door: Door, sagemaker: Any, clients: Clients) -> None:
    create_endpoint(sagemaker, "e")
    count = [1]
    door.answers["DescribeEndpoint"] = lambda told: {
        **told,
        "ProductionVariants": [{**each, "CurrentInstanceCount": count[0]} for each in told["ProductionVariants"]],
    }
    said: list[str] = []
    with InstanceWatch(clients, "e", {"v0": 1}, said.append, period_s=3600) as watch:
        watch.look()
        assert not watch.seen
        count[0] = 3
        watch.look()
        door.refuse["DescribeEndpoint"] = Refusal("ThrottlingException")
        watch.look()
        assert "ThrottlingException" in watch.lost
        door.refuse.clear()
        count[0] = 2
    assert [(each["variant"], each["from"], each["to"]) for each in watch.seen] == [("v0", 1, 3), ("v0", 3, 2)]
    assert said == ["instances of v0: 1 -> 3", "instances of v0: 3 -> 2"]
