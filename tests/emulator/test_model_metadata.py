"""What is said of models without a load test: ListModelMetadata, and DescribeModel's instant recommendations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_client import connect

from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


def _named(sagemaker: Any, **filters: str) -> list[str]:
    expression = {"Filters": [{"Name": name, "Value": value} for name, value in filters.items()]}
    answer = sagemaker.list_model_metadata(SearchExpression=expression, MaxResults=100)
    return [each["Model"] for each in answer["ModelMetadataSummaries"]]


def test_every_documented_name_of_a_nearest_model_is_listed(sagemaker: Any) -> None:
    pages = sagemaker.get_paginator("list_model_metadata").paginate(PaginationConfig={"PageSize": 4})
    listed = [each for page in pages for each in page["ModelMetadataSummaries"]]
    # API reference, RecommendationJobContainerConfig.NearestModelName.
    documented = """efficientnetb7 unet xgboost faster-rcnn-resnet101 nasnetlarge vgg16 inception-v3 mask-rcnn
        sagemaker-scikit-learn densenet201-gluon resnet18v2-gluon xception densenet201 yolov4 resnet152
        bert-base-cased xceptionV1-keras resnet50 retinanet"""
    assert sorted(each["Model"] for each in listed) == sorted(documented.split())
    for each in listed:
        assert set(each) == {"Domain", "Framework", "Task", "Model", "FrameworkVersion"}
        assert each["Domain"] in ("COMPUTER_VISION", "NATURAL_LANGUAGE_PROCESSING", "MACHINE_LEARNING")


def test_filters_narrow_the_list_together(sagemaker: Any) -> None:
    assert _named(sagemaker, Framework="MXNET") == ["densenet201-gluon", "resnet18v2-gluon"]
    assert _named(sagemaker, Domain="COMPUTER_VISION", Task="IMAGE_SEGMENTATION") == ["unet"]
    assert _named(sagemaker, Framework="XGBOOST", Domain="COMPUTER_VISION") == []
    assert _named(sagemaker, FrameworkVersion="1.6.0") == ["bert-base-cased", "resnet152"]


def test_wrong_filters_and_foreign_tokens_are_refused(sagemaker: Any) -> None:
    for parameters in (
        {"SearchExpression": {"Filters": [{"Name": "Colour", "Value": "red"}]}},
        {"NextToken": "nonsense"},
    ):
        with pytest.raises(ClientError) as caught:
            sagemaker.list_model_metadata(**parameters)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    token = sagemaker.list_model_metadata(MaxResults=1)["NextToken"]
    expression = {"Filters": [{"Name": "Framework", "Value": "MXNET"}]}
    with pytest.raises(ClientError, match="NextToken"):
        sagemaker.list_model_metadata(NextToken=token, SearchExpression=expression)


def _recommended(sagemaker: Any, name: str, **environment: str) -> Any:
    container = {"Image": IMAGE, "Environment": environment}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return sagemaker.describe_model(ModelName=name)["DeploymentRecommendation"]


def test_a_model_has_instant_recommendations_the_cheapest_first(sagemaker: Any, emulator: EmulatorServer) -> None:
    told = _recommended(sagemaker, "instant")
    assert told["RecommendationStatus"] == "COMPLETED"
    found = told["RealTimeInferenceRecommendations"]
    assert len(found) == 3
    fleet = emulator.service.fleet
    costs = []
    for each in found:
        assert re.fullmatch(r"instant/\w{8}", each["RecommendationId"]), "the form that the SDK takes"
        behaviour = fleet.behaviour(_facts(), each["InstanceType"])
        costs.append(float(fleet.prices.per_hour(each["InstanceType"]) or 0) * behaviour.service_ms / behaviour.servers)
    assert costs == sorted(costs)
    assert sagemaker.describe_model(ModelName="instant")["DeploymentRecommendation"] == told, "the ids stay"


def _facts() -> Any:
    from loadtest.jobs.models import ModelFacts

    return ModelFacts()


def test_the_models_own_environment_counts(sagemaker: Any) -> None:
    types = [
        [
            each["InstanceType"]
            for each in _recommended(sagemaker, name, **environment)["RealTimeInferenceRecommendations"]
        ]
        for name, environment in (("workers-all", {}), ("workers-1", {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}))
    ]
    assert types[0] != types[1], "one worker leaves the larger instances idle"


def test_several_containers_and_models_that_fit_nowhere_have_none(sagemaker: Any, tmp_path: Path) -> None:
    containers = [{"Image": IMAGE, "ContainerHostname": name} for name in ("first", "second")]
    sagemaker.create_model(ModelName="pipeline", Containers=containers, ExecutionRoleArn=ROLE)
    told = sagemaker.describe_model(ModelName="pipeline")["DeploymentRecommendation"]
    assert told == {"RecommendationStatus": "NOT_APPLICABLE"}
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("model: {memory_mb: 9000000}\n")
    with recommender(fleet_file=fleet) as server:
        client = connect(server.url)
        told = _recommended(client, "huge")
        client.close()
    assert told == {"RecommendationStatus": "NOT_APPLICABLE"}
