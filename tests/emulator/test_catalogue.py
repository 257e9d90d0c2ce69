"""Models, packages and payloads are read from the fallback by AWS's own API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_client import connect, job_request, small_job, wait_for_end

from loadtest.emulator.catalogue import ModelCatalogue
from loadtest.emulator.clients import InProcessClients
from loadtest.emulator.fallback import NoBackend
from loadtest.emulator.server import EmulatorServer
from loadtest.errors import SpecError
from loadtest.jobs.models import ModelFacts

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


@pytest.fixture(scope="module")
def package_arn(sagemaker: Any) -> str:
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    container = {"Image": IMAGE, "Framework": "XGBOOST", "FrameworkVersion": "1.7", "NearestModelName": "xgboost"}
    package = sagemaker.create_model_package(
        ModelPackageGroupName="group",
        Domain="MACHINE_LEARNING",
        Task="REGRESSION",
        SamplePayloadUrl="s3://payloads/a.tar.gz",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.c5.xlarge", "ml.c5.2xlarge"],
        },
    )
    return str(package["ModelPackageArn"])


@pytest.fixture(scope="module")
def catalogue(emulator: EmulatorServer) -> Iterator[ModelCatalogue]:
    return ModelCatalogue(InProcessClients(emulator.fallback, region="us-east-1"))


def test_facts_of_a_package_and_of_a_model_made_from_it(
    catalogue: ModelCatalogue, sagemaker: Any, package_arn: str
) -> None:
    expected = ModelFacts(
        domain="MACHINE_LEARNING",
        task="REGRESSION",
        framework="XGBOOST",
        framework_version="1.7",
        nearest_model="xgboost",
        sample_payload_url="s3://payloads/a.tar.gz",
        content_types=("text/csv",),
        instance_types=("ml.c5.xlarge", "ml.c5.2xlarge"),
        response_types=("text/csv",),
    )
    assert catalogue.model(package_arn) == expected
    sagemaker.create_model(
        ModelName="of-package", Containers=[{"ModelPackageName": package_arn}], ExecutionRoleArn=ROLE
    )
    assert catalogue.model("of-package") == expected


def test_a_plain_model_says_nothing_and_an_unknown_one_is_none(catalogue: ModelCatalogue, sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="plain", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    assert catalogue.model("plain") == ModelFacts()
    assert catalogue.model("nobody") is None
    assert catalogue.model("arn:aws:sagemaker:us-east-1:123456789012:model-package/nobody/1") is None


@pytest.mark.slow
def test_a_default_job_takes_its_instances_from_the_package(sagemaker: Any, package_arn: str) -> None:
    request = job_request("20", JobName="by-default", InputConfig={"ModelPackageVersionArn": package_arn})
    sagemaker.create_inference_recommendations_job(**request)
    job = wait_for_end(sagemaker, "by-default", 180)
    assert job["Status"] == "COMPLETED", job.get("FailureReason")
    found = {item["EndpointConfiguration"].get("InstanceType") for item in job["InferenceRecommendations"]}
    assert found - {None} == {"ml.c5.xlarge", "ml.c5.2xlarge"}


def test_a_job_lists_the_payload_of_its_package(sagemaker: Any, package_arn: str) -> None:
    config = {**small_job("")["InputConfig"], "ModelPackageVersionArn": package_arn}
    sagemaker.create_inference_recommendations_job(**small_job("of-package", InputConfig=config))
    assert wait_for_end(sagemaker, "of-package")["Status"] == "COMPLETED"
    answer = sagemaker.list_inference_recommendations_jobs(NameContains="of-package")
    (listed,) = answer["InferenceRecommendationsJobs"]
    assert listed["SamplePayloadUrl"] == "s3://payloads/a.tar.gz"
    assert listed["ModelPackageVersionArn"] == package_arn


@pytest.mark.parametrize(
    "url",
    [
        "s3://payloads/dir/a b.tar.gz",
        "https://payloads.s3.us-east-1.amazonaws.com/dir/a b.tar.gz",
        "https://s3.us-east-1.amazonaws.com/payloads/dir/a b.tar.gz",
    ],
)
def test_a_payload_by_every_form_of_its_url(catalogue: ModelCatalogue, emulator: EmulatorServer, url: str) -> None:
    s3 = connect(emulator.url, "s3")
    s3.create_bucket(Bucket="payloads")
    s3.put_object(Bucket="payloads", Key="dir/a b.tar.gz", Body=b"archive")
    assert catalogue.payload(url) == b"archive"


def test_a_missing_payload_is_a_spec_error(catalogue: ModelCatalogue) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        catalogue.payload("s3://no-such-bucket/x")


def test_without_a_fallback_there_is_nothing_to_read() -> None:
    lonely = ModelCatalogue(InProcessClients(NoBackend(), region="us-east-1"))
    assert lonely.model("x") is None
    with pytest.raises(SpecError):
        lonely.payload("s3://b/k")


def test_our_own_environment_does_not_lead_astray(
    emulator: EmulatorServer, sagemaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    sagemaker.create_model(ModelName="astray", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    assert ModelCatalogue(InProcessClients(emulator.fallback, region="us-east-1")).model("astray") == ModelFacts()
