"""DescribeEndpoint and DescribeEndpointConfig of endpoints that jobs have made for their tests, while those run.

As with AWS such an endpoint can be looked at and invoked like any other. The fallback does not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.jobs.arn import JobArns
from loadtest.jobs.fleet import Fleet, MadeEndpoint
from loadtest.jobs.subject import Variant

__all__ = ["Description", "made_endpoints"]

Description = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""A request -> its answer; None: it is not about an endpoint that a job has made."""


def made_endpoints(fleet: Fleet, arns: JobArns) -> dict[str, Description]:
    """By operation of SageMaker."""

    def endpoint(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        made = fleet.made(str(request.get("EndpointName")))
        return None if made is None else _endpoint(made, arns)

    def configuration(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        made = fleet.made(str(request.get("EndpointConfigName")))
        return None if made is None else _configuration(made, arns)

    return {"DescribeEndpoint": endpoint, "DescribeEndpointConfig": configuration}


def _endpoint(made: MadeEndpoint, arns: JobArns) -> dict[str, Any]:
    name = made.subject.endpoint_name
    return {
        "EndpointName": name,
        "EndpointArn": arns.sibling("endpoint", name),
        "EndpointConfigName": name,
        "ProductionVariants": [_running(variant) for variant in made.subject.variants],
        "EndpointStatus": "InService",
        "CreationTime": made.created_s,
        "LastModifiedTime": made.created_s,
    }


def _configuration(made: MadeEndpoint, arns: JobArns) -> dict[str, Any]:
    name = made.subject.endpoint_name
    return {
        "EndpointConfigName": name,
        "EndpointConfigArn": arns.sibling("endpoint-config", name),
        "ProductionVariants": [_configured(variant, name) for variant in made.subject.variants],
        "CreationTime": made.created_s,
    }


def _running(variant: Variant) -> dict[str, Any]:
    shares = {"VariantName": variant.name, "CurrentWeight": variant.weight, "DesiredWeight": variant.weight}
    if variant.serverless is not None:
        return {**shares, "CurrentServerlessConfig": _serverless(variant)}
    count = variant.instance_count
    return {**shares, "CurrentInstanceCount": count, "DesiredInstanceCount": count}


def _configured(variant: Variant, endpoint_name: str) -> dict[str, Any]:
    # A package becomes a model on the way to an endpoint; AWS names that one itself, as it does the endpoint.
    shares = {
        "VariantName": variant.name,
        "ModelName": variant.model_name or endpoint_name,
        "InitialVariantWeight": variant.weight,
    }
    if variant.serverless is not None:
        return {**shares, "ServerlessConfig": _serverless(variant)}
    return {**shares, "InitialInstanceCount": variant.instance_count, "InstanceType": variant.instance_type}


def _serverless(variant: Variant) -> dict[str, int]:
    assert variant.serverless is not None
    return {
        "MemorySizeInMB": variant.serverless.memory_mb,
        "MaxConcurrency": variant.serverless.max_concurrency,
    }
