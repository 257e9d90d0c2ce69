"""What the emulator's tests say to it with boto3."""

from __future__ import annotations

import functools
import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from places import JOBS

REGION = "us-east-1"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/small/1"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"
ENDED = ("COMPLETED", "FAILED", "STOPPED")


def job_request(name: str, **changes: Any) -> dict[str, Any]:
    """A request of tests/data/jobs by the beginning of its file's name, with other members in place of its own."""
    (path,) = JOBS.glob(f"{name}*.json")
    return {**json.loads(path.read_text(encoding="utf-8")), **changes}


def small_job(name: str, **changes: Any) -> dict[str, Any]:
    """An Advanced job of one short test, which virtual time takes a moment for."""
    phase = {"InitialNumberOfUsers": 1, "SpawnRate": 0, "DurationInSeconds": 120}
    config = {
        "ModelPackageVersionArn": PACKAGE,
        "TrafficPattern": {"TrafficType": "PHASES", "Phases": [phase]},
        "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
        "ContainerConfig": {"Domain": "MACHINE_LEARNING", "Task": "OTHER", "Framework": "XGBOOST"},
    }
    stopping = {"MaxInvocations": 1000}
    return {
        "JobName": name,
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/R",
        "InputConfig": config,
        "StoppingConditions": stopping,
        **changes,
    }


def create_model(sagemaker: Any, name: str, **environment: str) -> None:
    """A model whose container has these variables."""
    container = {"Image": IMAGE, "Environment": environment}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)


def create_endpoint(sagemaker: Any, name: str, *variants: dict[str, Any]) -> None:
    """An endpoint of these production variants; without one, of a model of its own on an instance."""
    if not variants:
        create_model(sagemaker, name)
        variants = ({"ModelName": name, "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1},)
    named = [{"VariantName": f"v{i}", **each} for i, each in enumerate(variants)]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=named)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def post(url: str, body: bytes, target: str, path: str = "/") -> tuple[int, dict[str, Any], Any]:
    """(status, document, headers) of one request with these very bytes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", path, body, {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}"), answer.headers
    finally:
        connection.close()


_MAKING = threading.Lock()  # a session makes one client at a time


def connect(url: str, service: str = "sagemaker", **config: Any) -> Any:
    """A boto3 client of the emulator, with credentials of nobody."""
    chosen = Config(retries={"total_max_attempts": 1}, **config)
    with _MAKING:
        return session_of(REGION).client(service, endpoint_url=url, config=chosen)


@functools.cache
def session_of(region: str) -> boto3.Session:
    """One for all clients: it reads each service's description once, which is most of what a client costs."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)


def wait_for_end(sagemaker: Any, name: str, limit_s: float = 60.0) -> dict[str, Any]:
    """Polls Describe until the job has ended; fails the test after limit_s."""
    until_s = time.monotonic() + limit_s
    while True:
        job: dict[str, Any] = sagemaker.describe_inference_recommendations_job(JobName=name)
        if job["Status"] in ENDED:
            return job
        assert time.monotonic() < until_s, f"{name} is still {job['Status']}"
        time.sleep(0.05)
