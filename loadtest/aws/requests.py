"""The three requests that make a test's endpoint, of what its job says. Values only, no I/O.

Sources: API reference of CreateModel, CreateEndpointConfig, CreateEndpoint, CreateInferenceRecommendationsJob.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.aws.removal import JOB_TAG
from loadtest.core.request.spec import EndpointConfiguration
from loadtest.jobs.provision import Wanted

__all__ = ["config_request", "endpoint_request", "model_name", "model_request"]

MAX_TAGS = 50
NAME_SHARE = 40  # a job's name is cut there in the names of what is made for it


def model_name(wanted: Wanted) -> str:
    """`JOB-NAME-1a2b3c4d`, with the beginning of the endpoint's own number."""
    number = wanted.subject.endpoint_name.removeprefix("sm-epc-")[:8]
    return f"{wanted.job_name[:NAME_SHARE].rstrip('-')}-{number}"


def model_request(wanted: Wanted, role: str, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """CreateModel. known: DescribeModel's answer for ModelName; None: the job names a package."""
    asked = dict(wanted.test.environment)
    given = wanted.spec.request["InputConfig"]
    request: dict[str, Any] = {"ModelName": model_name(wanted), "ExecutionRoleArn": role, "Tags": _tags(wanted)}
    if known is None:
        container: dict[str, Any] = {"ModelPackageName": wanted.spec.model_package_arn}
        specification = _configuration(wanted).inference_specification
        if specification is not None:
            container["InferenceSpecificationName"] = specification
        request["PrimaryContainer"] = container | ({"Environment": asked} if asked else {})
    else:
        several = [_container(each, asked) for each in known.get("Containers") or ()]
        if several:
            request["Containers"] = several
        else:
            request["PrimaryContainer"] = _container(known["PrimaryContainer"], asked)
        for member in ("InferenceExecutionConfig", "EnableNetworkIsolation"):
            if known.get(member):
                request[member] = known[member]
    vpc = given.get("VpcConfig") or (known or {}).get("VpcConfig")
    if vpc:
        request["VpcConfig"] = vpc
    return request


def config_request(wanted: Wanted) -> dict[str, Any]:
    """CreateEndpointConfig: one variant, on one instance or serverless."""
    configuration, name = _configuration(wanted), wanted.subject.endpoint_name
    variant: dict[str, Any] = {"VariantName": wanted.subject.variant_name, "ModelName": model_name(wanted)}
    request: dict[str, Any] = {"EndpointConfigName": name, "ProductionVariants": [variant], "Tags": _tags(wanted)}
    if configuration.serverless is not None:
        memory_mb, concurrency = configuration.serverless.memory_mb, configuration.serverless.max_concurrency
        variant["ServerlessConfig"] = {"MemorySizeInMB": memory_mb, "MaxConcurrency": concurrency}
        return request
    variant |= {
        "InstanceType": configuration.instance_type,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    key = wanted.spec.request["InputConfig"].get("VolumeKmsKeyId")
    return request | ({"KmsKeyId": key} if key else {})


def endpoint_request(wanted: Wanted) -> dict[str, Any]:
    """CreateEndpoint; the configuration has the endpoint's name."""
    name = wanted.subject.endpoint_name
    return {"EndpointName": name, "EndpointConfigName": name, "Tags": _tags(wanted)}


def _configuration(wanted: Wanted) -> EndpointConfiguration:
    configuration = wanted.test.configuration
    if configuration is None:
        raise ValueError("an existing endpoint is not made")
    return configuration


def _container(known: Mapping[str, Any], asked: Mapping[str, str]) -> dict[str, Any]:
    """As it is, with the test's environment over its own."""
    environment = {**(known.get("Environment") or {}), **asked}
    return {**known, **({"Environment": environment} if environment else {})}


def _tags(wanted: Wanted) -> list[dict[str, str]]:
    own = [{"Key": key, "Value": value} for key, value in wanted.tags if key != JOB_TAG]
    return [{"Key": JOB_TAG, "Value": wanted.job_name}, *own][:MAX_TAGS]
