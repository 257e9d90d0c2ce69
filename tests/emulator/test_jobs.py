"""The life of jobs, seen with boto3: create, poll, describe, list, steps, stop, tags, every error class."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_client import JOBS, PACKAGE, connect, create_endpoint, job_request, post, small_job, wait_for_end

from loadtest.testing import recommender

ADVANCED = "06"


def _ran(sagemaker: Any, name: str, **changes: Any) -> dict[str, Any]:
    sagemaker.create_inference_recommendations_job(**small_job(name, **changes))
    return wait_for_end(sagemaker, name)


@pytest.mark.slow
@pytest.mark.live  # four types, each with the real model: seconds
def test_the_table_in_the_docs_is_what_the_job_in_the_docs_gives(sagemaker: Any) -> None:
    docs = Path(__file__).parents[2] / "docs"
    sagemaker.create_inference_recommendations_job(**json.loads((docs / "emulator-job.json").read_text()))
    found = wait_for_end(sagemaker, "first")["InferenceRecommendations"]
    shown = re.findall(r"^\|  (ml\.\S+?) *\| +(\d) \| +(\d+) \| +(\d+) \|", (docs / "emulator.md").read_text(), re.M)
    assert shown == [
        (
            each["EndpointConfiguration"]["InstanceType"],
            str(each["EndpointConfiguration"]["InitialInstanceCount"]),
            str(each["Metrics"]["MaxInvocations"]),
            str(each["Metrics"]["ModelLatency"]),
        )
        for each in found
    ]


def test_an_advanced_job_from_create_to_its_recommendations(sagemaker: Any) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    request = job_request(ADVANCED, JobName="whole-life", JobDescription="text", Tags=[{"Key": "team", "Value": "ml"}])
    created = sagemaker.create_inference_recommendations_job(**request)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:inference-recommendations-job/whole-life"
    assert created["JobArn"] == arn
    job = wait_for_end(sagemaker, "whole-life")
    assert job["Status"] == "COMPLETED", job.get("FailureReason")
    assert job["JobArn"] == arn
    for member in ("JobName", "JobType", "RoleArn", "JobDescription", "InputConfig", "StoppingConditions"):
        assert job[member] == request[member]
    assert "Tags" not in job
    assert "OutputConfig" not in job
    assert before < job["CreationTime"] <= job["LastModifiedTime"]
    assert job["CreationTime"] <= job["CompletionTime"]
    recommendations = job["InferenceRecommendations"]
    assert 1 <= len(recommendations) <= 3
    for item in recommendations:
        assert re.fullmatch(r"whole-life/\w{8}", item["RecommendationId"])
        assert re.fullmatch(r"sm-epc-[0-9a-f-]{36}", item["EndpointConfiguration"]["EndpointName"])
        assert item["EndpointConfiguration"]["InstanceType"] == "ml.c5.xlarge"
        assert item["EndpointConfiguration"]["InitialInstanceCount"] >= 1
        (variable,) = item["ModelConfiguration"]["EnvironmentParameters"]
        assert (variable["Key"], variable["ValueType"].lower()) == ("OMP_NUM_THREADS", "string")
        assert item["Metrics"]["MaxInvocations"] > 0
        assert 0 < item["Metrics"]["ModelLatency"] <= 500
    costs = [item["Metrics"]["CostPerInference"] for item in recommendations]
    assert costs == sorted(costs, reverse=True), "the cheapest one is last"


def test_steps_of_a_job_page_by_page(sagemaker: Any) -> None:
    config = small_job("")["InputConfig"]
    ranges = {"CategoricalParameterRanges": [{"Name": "OMP_NUM_THREADS", "Value": ["1", "2", "4"]}]}
    config["EndpointConfigurations"][0]["EnvironmentParameterRanges"] = ranges
    _ran(sagemaker, "three-steps", InputConfig=config)
    paginator = sagemaker.get_paginator("list_inference_recommendations_job_steps")
    pages = list(paginator.paginate(JobName="three-steps", PaginationConfig={"PageSize": 2}))
    assert [len(page["Steps"]) for page in pages] == [2, 1]
    steps = [step for page in pages for step in page["Steps"]]
    assert {step["StepType"] for step in steps} == {"BENCHMARK"}
    assert {step["Status"] for step in steps} == {"COMPLETED"}
    tried = [step["InferenceBenchmark"]["ModelConfiguration"]["EnvironmentParameters"][0]["Value"] for step in steps]
    assert tried == ["1", "2", "4"]
    failed = sagemaker.list_inference_recommendations_job_steps(JobName="three-steps", Status="FAILED")
    assert failed["Steps"] == []


def test_every_filter_and_order_of_the_list() -> None:
    with recommender() as server:
        sagemaker = connect(server.url)
        _ran(sagemaker, "alpha-one")
        # A whole second: older clients send no more of a time than that.
        middle = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        while datetime.now(UTC) < middle:
            time.sleep(0.01)
        config = small_job("")["InputConfig"]
        del config["ModelPackageVersionArn"]
        _ran(sagemaker, "beta-two", InputConfig={**config, "ModelName": "cv-model"})
        _ran(sagemaker, "alpha-three")
        # Virtual time is ahead of this clock.
        listed = sagemaker.list_inference_recommendations_jobs()["InferenceRecommendationsJobs"]
        after = max(job["LastModifiedTime"] for job in listed) + timedelta(seconds=1)

        def names(**filters: Any) -> list[str]:
            found = sagemaker.list_inference_recommendations_jobs(**filters)["InferenceRecommendationsJobs"]
            return [job["JobName"] for job in found]

        every = ["alpha-three", "beta-two", "alpha-one"]
        assert names() == every
        assert names(SortOrder="Ascending") == every[::-1]
        assert names(SortBy="Name", SortOrder="Ascending") == ["alpha-one", "alpha-three", "beta-two"]
        assert sorted(names(SortBy="Status")) == sorted(every)
        assert names(NameContains="alpha") == ["alpha-three", "alpha-one"]
        assert names(StatusEquals="COMPLETED") == every
        assert names(StatusEquals="FAILED") == []
        assert names(CreationTimeAfter=middle) == ["alpha-three", "beta-two"]
        assert names(CreationTimeBefore=middle) == ["alpha-one"]
        assert names(LastModifiedTimeAfter=after) == []
        assert names(LastModifiedTimeBefore=after) == every
        assert names(ModelNameEquals="cv-model") == ["beta-two"]
        assert names(ModelPackageVersionArnEquals=PACKAGE) == ["alpha-three", "alpha-one"]
        assert names(MaxResults=1) == ["alpha-three"]


def test_pages_stay_correct_while_jobs_are_added() -> None:
    with recommender() as server:
        sagemaker = connect(server.url)
        for number in range(5):
            sagemaker.create_inference_recommendations_job(**small_job(f"job-{number}"))
        seen: list[str] = []
        token: dict[str, str] = {}
        for page in range(3):
            answer = sagemaker.list_inference_recommendations_jobs(MaxResults=2, **token)
            seen += [job["JobName"] for job in answer["InferenceRecommendationsJobs"]]
            if page < 2:
                token = {"NextToken": answer["NextToken"]}
                sagemaker.create_inference_recommendations_job(**small_job(f"newer-{page}"))
        assert "NextToken" not in answer
        assert seen == ["job-4", "job-3", "job-2", "job-1", "job-0"]
        paginator = sagemaker.get_paginator("list_inference_recommendations_jobs")
        found = paginator.paginate(NameContains="job", PaginationConfig={"PageSize": 2}).build_full_result()
        assert [job["JobName"] for job in found["InferenceRecommendationsJobs"]] == seen
        assert {"JobDescription", "JobType", "RoleArn", "LastModifiedTime"} <= set(
            found["InferenceRecommendationsJobs"][0]
        )


def test_a_token_of_another_query_is_refused(sagemaker: Any) -> None:
    for name in ("token-1", "token-2"):
        _ran(sagemaker, name)
    token = sagemaker.list_inference_recommendations_jobs(MaxResults=1)["NextToken"]
    for params in ({"NextToken": token, "SortBy": "Name"}, {"NextToken": "nonsense"}):
        with pytest.raises(ClientError) as caught:
            sagemaker.list_inference_recommendations_jobs(**params)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_taken_name_is_resource_in_use(sagemaker: Any) -> None:
    _ran(sagemaker, "taken")
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="taken"):
        sagemaker.create_inference_recommendations_job(**small_job("taken"))


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("describe_inference_recommendations_job", {"JobName": "nobody"}),
        ("stop_inference_recommendations_job", {"JobName": "nobody"}),
        ("list_inference_recommendations_job_steps", {"JobName": "nobody"}),
        (
            "get_scaling_configuration_recommendation",
            {"InferenceRecommendationsJobName": "nobody", "RecommendationId": "x"},
        ),
    ],
)
def test_an_unknown_job_is_resource_not_found(sagemaker: Any, operation: str, params: dict[str, str]) -> None:
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="nobody") as caught:
        getattr(sagemaker, operation)(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def test_a_full_account_is_resource_limit_exceeded_until_a_stop() -> None:
    with recommender(quota=1) as server:
        sagemaker = connect(server.url)
        create_endpoint(sagemaker, "my-existing-endpoint")
        # The longest of all: it runs for seconds even in virtual time, and is stopped in the middle.
        sagemaker.create_inference_recommendations_job(**job_request("03", JobName="first"))
        with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded):
            sagemaker.create_inference_recommendations_job(**small_job("second"))
        answer = sagemaker.stop_inference_recommendations_job(JobName="first")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert wait_for_end(sagemaker, "first")["Status"] == "STOPPED"
        sagemaker.create_inference_recommendations_job(**small_job("second"))
        assert wait_for_end(sagemaker, "second")["Status"] == "COMPLETED"


def test_stopping_an_ended_job_changes_nothing(sagemaker: Any) -> None:
    job = _ran(sagemaker, "ended")
    sagemaker.stop_inference_recommendations_job(JobName="ended")
    again = sagemaker.describe_inference_recommendations_job(JobName="ended")
    assert again["Status"] == job["Status"] == "COMPLETED"
    assert again["LastModifiedTime"] == job["LastModifiedTime"]


def test_one_of_ten_creators_of_a_name_wins(sagemaker: Any) -> None:
    barrier = threading.Barrier(10)

    def create(_: int) -> str:
        barrier.wait(30)
        try:
            sagemaker.create_inference_recommendations_job(**small_job("contested"))
        except sagemaker.exceptions.ResourceInUse:
            return "in use"
        return "created"

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(create, range(10)))
    assert sorted(outcomes) == ["created"] + ["in use"] * 9


def test_tags_of_a_job(sagemaker: Any) -> None:
    arn = sagemaker.create_inference_recommendations_job(**small_job("tagged", Tags=[{"Key": "a", "Value": "1"}]))[
        "JobArn"
    ]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags == {"a": "3", "b": "2"}
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.list_tags(ResourceArn=arn.replace("tagged", "nobody"))
    with pytest.raises(ClientError, match="NextToken"):
        sagemaker.list_tags(ResourceArn=arn, NextToken="nonsense")


def test_a_scaling_policy_from_a_recommendation(sagemaker: Any) -> None:
    job = _ran(sagemaker, "scaled")
    chosen = job["InferenceRecommendations"][-1]
    answer = sagemaker.get_scaling_configuration_recommendation(
        InferenceRecommendationsJobName="scaled",
        RecommendationId=chosen["RecommendationId"],
        ScalingPolicyObjective={"MinInvocationsPerMinute": 100, "MaxInvocationsPerMinute": 5000},
    )
    assert answer["Metric"]["InvocationsPerInstance"] > 0
    scaling = answer["DynamicScalingConfiguration"]
    assert 1 <= scaling["MinCapacity"] <= scaling["MaxCapacity"]
    assert "TargetTracking" in scaling["ScalingPolicies"][0]


@pytest.fixture(scope="module")
def another() -> Iterator[Any]:
    with recommender() as server:
        client = connect(server.url)
        create_endpoint(client, "my-existing-endpoint")
        yield client
        client.close()


QUICK = ("14", "17")
REAL = [
    pytest.param(path, id=path.stem, marks=[] if path.stem.startswith(QUICK) else [pytest.mark.slow])
    for path in sorted(JOBS.glob("[0-9]*.json"))
]


@pytest.mark.parametrize("path", REAL)
def test_every_real_request_runs_to_its_end(another: Any, path: Path) -> None:
    request = job_request(path.stem)
    another.create_inference_recommendations_job(**request)
    job = wait_for_end(another, request["JobName"], 180)
    assert job["Status"] == "COMPLETED", job.get("FailureReason")
    assert job.get("InferenceRecommendations") or job.get("EndpointPerformances")


@pytest.mark.parametrize("path", sorted((JOBS / "invalid").glob("*.json")), ids=lambda path: path.stem)
def test_every_invalid_request_is_refused(another: Any, path: Path) -> None:
    # As bytes, because boto3 itself would stop at some of them.
    target = "SageMaker.CreateInferenceRecommendationsJob"
    status, document, _ = post(another.meta.endpoint_url, path.read_bytes(), target)
    assert (status, document["__type"]) == (400, "ValidationException")
    with pytest.raises(another.exceptions.ResourceNotFound):
        another.describe_inference_recommendations_job(JobName=json.loads(path.read_bytes())["JobName"])
