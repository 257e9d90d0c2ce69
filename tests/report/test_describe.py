"""describe.json is what DescribeInferenceRecommendationsJob answers: botocore's own parser reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import JSONParser

from loadtest.core.judge.decision import Reason
from loadtest.core.result.cost import cost_per_inference
from loadtest.core.result.result import RunResult
from loadtest.jobs import outcome
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.outcome import figures_of
from loadtest.jobs.prices import Prices
from loadtest.report.describe import describe

CREATED_AT = 1_760_000_000.0


@pytest.fixture(scope="module")
def shape() -> Shape:
    model = botocore.session.Session().get_service_model("sagemaker")
    return model.operation_model("DescribeInferenceRecommendationsJob").output_shape


def unknown(value: Any, shape: Shape, path: str = "") -> list[str]:
    """Members that the model does not know, and required ones that are missing."""
    if isinstance(shape, StructureShape):
        extra = [f"{path}.{name}" for name in value if name not in shape.members]
        missing = [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        below = (unknown(v, shape.members[k], f"{path}.{k}") for k, v in value.items() if k in shape.members)
        return [*extra, *missing, *chain.from_iterable(below)]
    if isinstance(shape, ListShape):
        return list(chain.from_iterable(unknown(item, shape.member, f"{path}[{i}]") for i, item in enumerate(value)))
    assert not isinstance(shape, MapShape)
    return []


def parsed(response: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """The response after a trip through JSON and botocore's parser, which drops what it does not know."""
    body = json.dumps(response, allow_nan=False).encode()
    read: dict[str, Any] = JSONParser().parse({"body": body, "headers": {}, "status_code": 200}, shape)
    read.pop("ResponseMetadata")
    return read


def test_botocore_reads_the_whole_answer(result: RunResult, shape: Shape) -> None:
    response = describe([result], CREATED_AT)
    assert unknown(response, shape) == []
    read = parsed(response, shape)
    assert read.keys() == response.keys()
    assert read["CreationTime"].timestamp() == CREATED_AT
    assert read["CompletionTime"].timestamp() == CREATED_AT + 0.25 + 121
    assert read["InferenceRecommendations"][0]["InvocationStartTime"].timestamp() == result.started_at
    assert read["InputConfig"] == result.job["InputConfig"]  # type: ignore[index]
    assert read["StoppingConditions"]["MaxInvocations"] == 10_000


def test_only_what_the_api_echoes_is_echoed(result: RunResult) -> None:
    response = describe([result], CREATED_AT)
    assert not {"Tags", "OutputConfig"} & response.keys()
    assert response["JobDescription"] == "every night"
    assert response["JobArn"] == ("arn:aws:sagemaker:eu-west-1:123456789012:inference-recommendations-job/bert-nightly")


def test_the_recommendation(result: RunResult) -> None:
    assert result.best is not None
    (entry,) = describe([result], CREATED_AT)["InferenceRecommendations"]
    per_instance = int(result.best.per_min)
    assert entry["EndpointConfiguration"]["InitialInstanceCount"] == -(-10_000 // per_instance) == 2
    metrics = entry["Metrics"]
    assert metrics["MaxInvocations"] == 2 * per_instance
    assert metrics["ModelLatency"] == 25  # 24.0 and a bit: never better than measured
    assert metrics["CostPerHour"] == pytest.approx(0.408)
    assert metrics["CostPerInference"] == cost_per_inference(metrics["CostPerHour"], metrics["MaxInvocations"])
    assert re.fullmatch(r"bert-nightly/\w{8}", entry["RecommendationId"])
    name = entry["EndpointConfiguration"]["EndpointName"]
    assert re.fullmatch(r"sm-epc-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", name)
    assert entry["EndpointConfiguration"]["VariantName"] == name
    assert describe([result], CREATED_AT)["InferenceRecommendations"] == [entry], "the same names each time"


def test_a_missing_price_leaves_the_costs_out(result: RunResult, shape: Shape) -> None:
    response = describe([replace(result, info={"instance_type": "ml.x"})], CREATED_AT)
    assert response["InferenceRecommendations"][0]["Metrics"].keys() == {"MaxInvocations", "ModelLatency"}
    assert unknown(response, shape) == []


def test_serverless_and_environment(result: RunResult, shape: Shape) -> None:
    info = {
        "serverless": {"memory_mb": 2048, "max_concurrency": 5},
        "environment": {"OMP_NUM_THREADS": "2"},
        "inference_specification": "neo",
    }
    response = describe([replace(result, info=info)], CREATED_AT)
    (entry,) = response["InferenceRecommendations"]
    assert entry["EndpointConfiguration"]["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert not {"InstanceType", "InitialInstanceCount"} & entry["EndpointConfiguration"].keys()
    assert entry["ModelConfiguration"] == {
        "EnvironmentParameters": [{"Key": "OMP_NUM_THREADS", "ValueType": "string", "Value": "2"}],
        "InferenceSpecificationName": "neo",
    }
    assert unknown(response, shape) == []


def test_an_existing_endpoint_has_a_performance_and_no_recommendation(result: RunResult, shape: Shape) -> None:
    response = describe([replace(result, info={"endpoint_name": "mine"})], CREATED_AT)
    assert "InferenceRecommendations" not in response
    assert result.best is not None
    assert response["EndpointPerformances"] == [
        {
            "Metrics": {"MaxInvocations": int(result.best.per_min), "ModelLatency": 25},
            "EndpointInfo": {"EndpointName": "mine"},
        }
    ]
    assert unknown(response, shape) == []


def test_a_job_that_only_names_an_endpoint_tested_that(result: RunResult) -> None:
    job = {"JobName": "j", "InputConfig": {"Endpoints": [{"EndpointName": "theirs"}]}}
    response = describe([replace(result, info={}, job=job)], CREATED_AT)
    assert response["EndpointPerformances"][0]["EndpointInfo"] == {"EndpointName": "theirs"}
    both = {**job, "InputConfig": {**job["InputConfig"], "EndpointConfigurations": [{"InstanceType": "ml.x"}]}}  # type: ignore[dict-item]
    assert "EndpointPerformances" not in describe([replace(result, info={}, job=both)], CREATED_AT)


def test_the_cheapest_inference_is_last(result: RunResult) -> None:
    def of(instance: str, price: float | None) -> RunResult:
        info: dict[str, Any] = {"instance_type": instance}
        return replace(result, label=instance, info=info if price is None else {**info, "price_per_hour_usd": price})

    tests = [of("b", 0.2), of("a", 0.1), of("c", 0.4), of("unknown", None)]
    response = describe(tests, CREATED_AT)
    order = [entry["EndpointConfiguration"]["InstanceType"] for entry in response["InferenceRecommendations"]]
    assert order == ["unknown", "c", "b", "a"]
    ids = {entry["RecommendationId"] for entry in response["InferenceRecommendations"]}
    assert len(ids) == 4
    many = describe([of(f"i{k}", 1.0 + k) for k in range(12)], CREATED_AT)["InferenceRecommendations"]
    assert len(many) == 10
    assert many[-1]["EndpointConfiguration"]["InstanceType"] == "i0"


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        ([Reason.CURVE_END], "COMPLETED"),
        ([Reason.LATENCY], "COMPLETED"),
        ([Reason.TARGET_DOWN], "FAILED"),
        ([Reason.USER], "STOPPED"),
        ([Reason.TARGET_DOWN, Reason.FLAT], "COMPLETED"),
        ([Reason.CURVE_END, Reason.USER], "STOPPED"),
    ],
)
def test_status(finish: Callable[..., RunResult], shape: Shape, reasons: list[Reason], status: str) -> None:
    response = describe([finish(reason) for reason in reasons], CREATED_AT)
    assert response["Status"] == status
    assert ("FailureReason" in response) == (status == "FAILED")
    assert unknown(response, shape) == []


def test_a_job_that_never_was_a_request(finish: Callable[..., RunResult], shape: Shape) -> None:
    response = describe([finish(job=None, started_at=None)], CREATED_AT)
    assert unknown(response, shape) == []
    assert response["JobName"] == "loadtest"
    assert response["InferenceRecommendations"][0]["InvocationStartTime"] == CREATED_AT


def test_without_a_rate_that_held_the_conditions_nothing_is_recommended(result: RunResult, shape: Shape) -> None:
    response = describe([replace(result, best=None)], CREATED_AT)
    assert not {"InferenceRecommendations", "EndpointPerformances"} & response.keys()
    assert unknown(response, shape) == []


def test_the_threshold_is_the_latency_once_it_ended_the_test(finish: Callable[..., RunResult]) -> None:
    (entry,) = describe([finish(Reason.LATENCY)], CREATED_AT)["InferenceRecommendations"]
    assert entry["Metrics"]["ModelLatency"] == 100


@pytest.mark.parametrize(("ms", "told"), [(50.303, 51), (50.9, 51), (50.0, 50), (50.0000000001, 50), (0.4, 1)])
def test_a_report_and_the_emulator_tell_the_same_latency(result: RunResult, ms: float, told: int) -> None:
    measured = replace(result, latency=replace(result.latency, reported_ms=ms, measured_ms=ms))
    (recommended,) = describe([measured], CREATED_AT)["InferenceRecommendations"]
    existing = replace(measured, info={"endpoint_name": "mine"})
    (performance,) = describe([existing], CREATED_AT)["EndpointPerformances"]
    figures = figures_of(measured)
    assert figures is not None
    served, _ = outcome.recommendation_metrics(
        figures,
        instance_type="ml.c5.xlarge",
        serverless=None,
        behaviour=None,
        prices=Prices.built_in(Catalogue.built_in()),
        target_per_min=None,
    )
    assert [m["ModelLatency"] for m in (recommended["Metrics"], performance["Metrics"], served)] == [told] * 3


def test_an_endpoint_whose_latency_nobody_knows_has_no_performance(result: RunResult, shape: Shape) -> None:
    unknown_ms = replace(result, latency=replace(result.latency, reported_ms=None), info={"endpoint_name": "mine"})
    response = describe([unknown_ms], CREATED_AT)
    assert "EndpointPerformances" not in response
    assert unknown(response, shape) == []
