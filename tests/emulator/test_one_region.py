"""A client of any region meets the same server: what one of them makes the others find, invoke and read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.config import Config
from emulator_client import session_of, small_job, wait_for_end

from loadtest.emulator.one_region import OneRegion
from loadtest.emulator.server import EmulatorServer
from loadtest.jobs.arn import JobArns
from loadtest.jobs.events import LOG_GROUP
from loadtest.testing import recommender

HOME, AWAY = "eu-central-1", ("us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1")
ROLE = "arn:aws:iam::123456789012:role/R"


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with recommender(region=HOME) as server:
        yield server


def connect(server: EmulatorServer, service: str, region: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return session_of(region).client(service, endpoint_url=server.url, config=config)


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("body")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"{}"))
    return packed.getvalue()


@pytest.mark.parametrize("region", AWAY)
def test_endpoints_models_and_packages(server: EmulatorServer, region: str) -> None:
    away, home = connect(server, "sagemaker", region), connect(server, "sagemaker", HOME)
    name = f"of-{region}"
    away.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "x"})
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    away.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    arn = away.create_endpoint(EndpointName=name, EndpointConfigName=name)["EndpointArn"]
    assert f":{HOME}:" in arn
    for sagemaker in (away, home):
        assert name in [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]]
        assert (
            sagemaker.describe_model(ModelName=name)["DeploymentRecommendation"]["RecommendationStatus"] == "COMPLETED"
        )
    for place in (region, HOME):
        answer = connect(server, "sagemaker-runtime", place).invoke_endpoint(EndpointName=name, Body=b"{}")
        assert answer["InvokedProductionVariant"] == "v"
    away.create_model_package_group(ModelPackageGroupName=name)
    package = away.create_model_package(
        ModelPackageGroupName=name,
        Domain="COMPUTER_VISION",
        Task="OTHER",
        InferenceSpecification={
            "Containers": [{"Image": "x", "Framework": "PYTORCH"}],
            "SupportedContentTypes": ["a/b"],
            "SupportedResponseMIMETypes": ["a/b"],
        },
    )["ModelPackageArn"]
    assert f":{HOME}:" in package
    job = small_job(f"package-{name}")
    # As a program has it that makes ARNs of its own region.
    job["InputConfig"]["ModelPackageVersionArn"] = package.replace(HOME, region)
    del job["InputConfig"]["ContainerConfig"]
    away.create_inference_recommendations_job(**job)
    kept = server.service.store.get(job["JobName"])
    assert kept is not None
    assert (kept.facts.known, kept.facts.domain) == (True, "COMPUTER_VISION")
    away.delete_endpoint(EndpointName=name)
    with pytest.raises(home.exceptions.ClientError, match="not found"):
        connect(server, "sagemaker-runtime", HOME).invoke_endpoint(EndpointName=name, Body=b"{}")


@pytest.mark.parametrize("region", AWAY)
def test_jobs_logs_metrics_and_tags(server: EmulatorServer, region: str) -> None:
    away, home = connect(server, "sagemaker", region), connect(server, "sagemaker", HOME)
    name = f"job-{region}"
    arn = away.create_inference_recommendations_job(**small_job(name))["JobArn"]
    assert arn == f"arn:aws:sagemaker:{HOME}:123456789012:inference-recommendations-job/{name}"
    job = wait_for_end(away, name)
    for sagemaker in (away, home):
        listed = sagemaker.list_inference_recommendations_jobs(NameContains=name)["InferenceRecommendationsJobs"]
        assert [each["JobArn"] for each in listed] == [arn]
    home.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert away.list_tags(ResourceArn=arn.replace(HOME, region))["Tags"] == [{"Key": "a", "Value": "b"}]
    for place in (region, HOME):
        events = connect(server, "logs", place).get_log_events(
            logGroupName=LOG_GROUP, logStreamName=f"{name}/execution", startFromHead=True
        )["events"]
        assert events[-1]["message"] == f"Job {name} COMPLETED"
        cloudwatch = connect(server, "cloudwatch", place)
        asked: Any = {"Namespace": LOG_GROUP, "MetricName": "ClientInvocations"}
        (metric,) = cloudwatch.list_metrics(**asked, Dimensions=[{"Name": "JobName", "Value": name}])["Metrics"]
        points = cloudwatch.get_metric_statistics(
            **asked,
            Dimensions=metric["Dimensions"],
            StartTime=job["CreationTime"],
            EndTime=job["LastModifiedTime"],
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        assert sum(point["Sum"] for point in points) > 0


@pytest.mark.parametrize("region", AWAY)
def test_a_bucket_of_any_region_holds_the_payload(server: EmulatorServer, region: str) -> None:
    s3, bucket = connect(server, "s3", region), f"payload-{region}"
    # moto compares the constraint with the region that it is asked in, which is another partition's here.
    constraint = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **constraint)
    s3.put_object(Bucket=bucket, Key="p.tar.gz", Body=archive())
    client = connect(server, "s3", HOME)
    assert client.get_object(Bucket=bucket, Key="p.tar.gz")["Body"].read()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "p.tar.gz"})
    with urlopen(url, timeout=30) as answer:
        assert answer.read()[:2] == b"\x1f\x8b"
    from loadtest.emulator.catalogue import ModelCatalogue
    from loadtest.emulator.clients import InProcessClients

    assert ModelCatalogue(InProcessClients(server.fallback, region=HOME)).payload(f"s3://{bucket}/p.tar.gz")


def scoped(**environ: str) -> dict[str, Any]:
    """What an application behind a server of eu-central-1 sees of this."""
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        return []

    OneRegion(application, HOME)(environ, lambda *_: lambda _: None)
    return seen


@pytest.mark.parametrize(
    ("region", "service", "expected"),
    [
        ("us-east-1", "sagemaker", HOME),
        ("nowhere-9", "logs", HOME),
        ("us-gov-east-1", "monitoring", HOME),
        ("eu-west-1", "s3", "eu-west-1"),
        ("cn-north-1", "s3", "us-east-1"),
    ],
)
def test_credential_scopes(region: str, service: str, expected: str) -> None:
    scope = f"AKID/20260101/{region}/{service}/aws4_request"
    seen = scoped(HTTP_AUTHORIZATION=f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00")
    assert f"/20260101/{expected}/{service}/aws4_request, SignedHeaders=host" in seen["HTTP_AUTHORIZATION"]
    query = f"a=1&X-Amz-Credential={scope.replace('/', '%2F')}&X-Amz-Expires=5"
    seen = scoped(QUERY_STRING=query, REQUEST_URI=f"/b/k?{query}")
    assert seen["QUERY_STRING"] == query.replace(region, expected)
    assert seen["REQUEST_URI"] == f"/b/k?{query.replace(region, expected)}"


@pytest.mark.parametrize(
    "text", ["", "Basic dTpw", "AWS4-HMAC-SHA256 Credential=/x", "Credential=a/1/b/c/aws4_request" * 500]
)
def test_what_is_no_scope_passes_unchanged(text: str) -> None:
    assert scoped(HTTP_AUTHORIZATION=text)["HTTP_AUTHORIZATION"] == text
    assert scoped(QUERY_STRING=text)["QUERY_STRING"] == text


def test_hosts_that_name_a_region() -> None:
    assert scoped(HTTP_HOST="sagemaker.us-gov-west-1.amazonaws.com")["HTTP_HOST"] == f"sagemaker.{HOME}.amazonaws.com"
    assert scoped(HTTP_HOST="127.0.0.1:4599")["HTTP_HOST"] == "127.0.0.1:4599"


def test_an_odd_header_takes_no_time_to_speak_of() -> None:
    """A pattern that tries every end of every beginning would take minutes."""
    scoped(HTTP_AUTHORIZATION="Credential=" * 6000, QUERY_STRING="X-Amz-Credential=" * 4000)


def test_moto_s_own_way_to_name_a_region() -> None:
    """It reads the region in a User-Agent before that of the signature, and takes its own for what is not signed."""
    signature = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/logs/aws4_request, Signature=00"
    seen = scoped(HTTP_USER_AGENT="a/1 region/us-west-2 b/2", HTTP_AUTHORIZATION=signature)
    assert seen["HTTP_USER_AGENT"] == "a/1  b/2"
    assert scoped(HTTP_USER_AGENT="a/1 region/us-west-2")["HTTP_USER_AGENT"].split() == ["a/1", f"region/{HOME}"]


def test_arns_of_jobs_are_ours_in_any_region() -> None:
    arns = JobArns(HOME, "123456789012")
    job = "inference-recommendations-job/job-1"
    for region, partition in ((HOME, "aws"), ("us-east-1", "aws"), ("cn-north-1", "aws-cn")):
        assert arns.name(f"arn:{partition}:sagemaker:{region}:123456789012:{job}") == "job-1"
    for other in (f"arn:aws:sagemaker:{HOME}:999999999999:{job}", f"arn:aws:logs:{HOME}:123456789012:{job}", job):
        assert arns.name(other) is None
    assert JobArns("us-isob-east-1", "1").of("j").startswith("arn:aws-iso-b:")
