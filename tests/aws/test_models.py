"""What an account says of a model: read before anything is made, and of effect on what is made and sent."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door, Refusal
from emulator_client import IMAGE, ROLE, connect, create_model

from loadtest.aws.clients import Clients
from loadtest.aws.models import AccountModels
from loadtest.errors import TargetError
from loadtest.jobs.models import ModelFacts

BODY = b"5.1,3.5,1.4,0.2\n"


def _package(sagemaker: Any, **more: Any) -> str:
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    specification = {
        "Containers": [{"Image": IMAGE, "Framework": "XGBOOST"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["application/jsonlines"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.c5.xlarge"],
    }
    told = sagemaker.create_model_package(
        ModelPackageGroupName="group",
        Domain="MACHINE_LEARNING",
        Task="REGRESSION",
        InferenceSpecification=specification,
        **more,
    )
    return str(told["ModelPackageArn"])


def _archive(bucket: str, door: Door) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("one.csv")
        entry.size = len(BODY)
        archive.addfile(entry, io.BytesIO(BODY))
    s3 = connect(door.behind, "s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="in/payload.tar.gz", Body=packed.getvalue())
    s3.close()
    return f"s3://{bucket}/in/payload.tar.gz"


def test_packages_and_models_made_from_them(door: Door, sagemaker: Any, clients: Clients) -> None:
    arn = _package(sagemaker, SamplePayloadUrl="s3://b/a.tar.gz")
    said: list[str] = []
    reader = AccountModels(clients, said.append)
    found = reader(arn)
    assert found is not None
    assert (found.framework, found.sample_payload_url, found.content_types) == (
        "XGBOOST",
        "s3://b/a.tar.gz",
        ("text/csv",),
    )
    assert (found.instance_types, found.response_types) == (("ml.c5.xlarge",), ("application/jsonlines",))
    sagemaker.create_model(ModelName="of", PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=ROLE)
    assert reader("of") == found
    create_model(sagemaker, "plain", T="1")
    assert reader("plain") == ModelFacts(environment={"T": "1"})
    assert reader("nobody") is None
    assert not said


def test_what_may_not_be_looked_up_is_said_and_what_does_not_answer_ends_it(door: Door, clients: Clients) -> None:
    said: list[str] = []
    reader = AccountModels(clients, said.append)
    door.refuse["DescribeModel"] = Refusal("AccessDeniedException", "may not")
    assert reader("m") == ModelFacts()
    assert said == ["not known of m: AccessDeniedException when calling DescribeModel: may not"]
    door.refuse["DescribeModel"] = Refusal("ExpiredTokenException", "it is expired", 403)
    with pytest.raises(TargetError, match="m cannot be looked up: ExpiredTokenException"):
        reader("m")


def _deploy(door: Door, folder: Path, request: dict[str, Any], *more: str) -> tuple[int, str]:
    (folder / "job.json").write_text(json.dumps(request))
    command = [sys.executable, "-m", "loadtest", "recommend", str(folder / "job.json"), "--deploy", "--budget", "5"]
    place = ["--endpoint-url", door.url, "--region", "us-east-1", "--output-dir", str(folder / "out"), "--no-report"]
    home = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [*command, *place, *more], env={**os.environ, **home}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _request(arn: str, kind: str = "Default", **more: Any) -> dict[str, Any]:
    return {"JobName": "j", "JobType": kind, "RoleArn": ROLE, "InputConfig": {"ModelPackageVersionArn": arn, **more}}


@pytest.mark.live
def test_a_model_that_is_not_there_or_names_no_instances_ends_it_before_anything_is_made(
    door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    unknown = "arn:aws:sagemaker:us-east-1:123456789012:model-package/nobody/1"
    configurations = [{"InstanceType": "ml.c5.xlarge"}]
    code, text = _deploy(door, tmp_path, _request(unknown, EndpointConfigurations=configurations), "--yes")
    assert code == 2, text
    assert (
        f"InputConfig.ModelPackageVersionArn: does not exist in us-east-1, in the account of these credentials (got {unknown})"
        in text
    )
    create_model(sagemaker, "m")
    request = {**_request(""), "InputConfig": {"ModelName": "m"}}
    code, text = _deploy(door, tmp_path, request, "--yes")
    assert code == 2, text
    assert "nothing says on what instances it is to run" in text
    request["InputConfig"]["EndpointConfigurations"] = configurations  # type: ignore[index]
    code, text = _deploy(door, tmp_path, request, "--yes", "--region", "eu-west-1")
    assert code == 2, text
    assert "no price of ml.c5.xlarge in eu-west-1 is known, so no budget can hold" in text
    assert "loadtest prices --update --region eu-west-1" in text
    assert not door.made("CreateModel")
    assert not list((tmp_path / "state").rglob("*.jsonl"))


@pytest.mark.slow
@pytest.mark.live
def test_a_default_job_of_a_package_is_tested_on_its_instances_with_its_payload(
    door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    arn = _package(sagemaker, SamplePayloadUrl=_archive("samples", door))
    code, text = _deploy(door, tmp_path, _request(arn, JobDurationInSeconds=7200))
    assert "1 endpoint, with a model and a configuration" in text
    assert "ml.c5.xlarge" in text
    # As long as it takes to see one level: the traffic of a Default job is long.
    stairs = {"TrafficType": "STAIRS", "Stairs": {"DurationInSeconds": 3, "NumberOfSteps": 1, "UsersPerStep": 1}}
    configurations = [{"InstanceType": "ml.c5.xlarge"}]
    request = _request(arn, "Advanced", TrafficPattern=stairs, EndpointConfigurations=configurations)
    code, text = _deploy(door, tmp_path, {**request, "StoppingConditions": {"FlatInvocations": "Continue"}}, "--yes")
    assert code == 0, text
    headers, body = door.invoked
    assert body == BODY
    assert (headers["Content-Type"], headers["Accept"]) == ("text/csv", "application/jsonlines")
    assert door.made("CreateModel")[0]["PrimaryContainer"] == {"ModelPackageName": arn}
