"""A CreateInferenceRecommendationsJob request to a `JobSpec` and back.

The only place that knows both AWS's member names and ours. Pure: no clock, no I/O. The members and their bounds are
in `schema.py`, the rules on several of them in `rules.py`; the profiles are those of docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from loadtest.core.request.findings import Findings
from loadtest.core.request.percentile import percentile_of
from loadtest.core.request.rules import check_rules, traffic_type
from loadtest.core.request.schema import REQUEST
from loadtest.core.request.spec import (
    EndpointConfiguration,
    JobSpec,
    LatencyThreshold,
    Phase,
    Profile,
    Serverless,
    Stairs,
    StopConditions,
    Traffic,
)
from loadtest.core.request.validation import validate

__all__ = ["parse_job", "unparse_job"]

_Members = Mapping[str, Any]

# Members that no field of JobSpec stands for: unparse_job takes them from the request as received.
_KEPT = ("JobDescription", "OutputConfig", "Tags")
_KEPT_INPUTS = ("VolumeKmsKeyId", "VpcConfig")


def parse_job(request: object, profile: Profile = "aws") -> JobSpec:
    """The job that `request` (a decoded JSON value of any kind) asks for.

    profile: `aws` refuses what the service model or the documents refuse; `relaxed` turns the bounds that only protect
        AWS's own capacity into `JobSpec.warnings`.
    Raises SpecError with every problem in document order; never another exception.
    """
    findings = Findings(strict=profile == "aws")
    job: dict[str, Any] = {}

    def check_members() -> None:
        job.update(validate(request, REQUEST, (), findings) or {})

    def check_meaning() -> None:
        if isinstance(request, Mapping):
            check_rules(job, findings)

    findings.collect([check_members, check_meaning])
    findings.raise_errors(request)
    inputs: _Members = job["InputConfig"]
    advanced = job["JobType"] == "Advanced"
    container = inputs.get("ContainerConfig", {})
    payload = container.get("PayloadConfig", {})
    limits = inputs.get("ResourceLimit", {})
    return JobSpec(
        name=job["JobName"],
        job_type=job["JobType"],
        role_arn=job["RoleArn"],
        traffic=_traffic(inputs["TrafficPattern"]) if advanced else None,
        stop=_stop(job.get("StoppingConditions", {})) if advanced else StopConditions(),
        configurations=tuple(_configuration(each) for each in inputs.get("EndpointConfigurations", ())),
        endpoints=tuple(each["EndpointName"] for each in inputs.get("Endpoints", ())),
        model_package_arn=inputs.get("ModelPackageVersionArn"),
        model_name=inputs.get("ModelName"),
        duration_s=inputs.get("JobDurationInSeconds"),
        max_tests=limits.get("MaxNumberOfTests"),
        max_parallel_tests=limits.get("MaxParallelOfTests"),
        sample_payload_url=payload.get("SamplePayloadUrl"),
        content_type=next(iter(payload.get("SupportedContentTypes", ())), None),
        request=job,
        warnings=findings.warnings(request),
    )


def unparse_job(spec: JobSpec) -> dict[str, Any]:
    """The request that asks for `spec`: parse_job of it is equal to `spec`, if `spec` keeps the profile's bounds.

    Members that no field stands for (Tags, VpcConfig, ...) are taken from `spec.request`. `stop.max_error_ratio` has
    no place in a request: it comes from RunOptions.
    """
    old_inputs: _Members = spec.request.get("InputConfig", {})
    inputs: dict[str, Any] = {
        "ModelPackageVersionArn": spec.model_package_arn,
        "ModelName": spec.model_name,
        "JobDurationInSeconds": spec.duration_s,
        "TrafficPattern": None if spec.traffic is None else _traffic_members(spec.traffic),
        "ResourceLimit": _given(MaxNumberOfTests=spec.max_tests, MaxParallelOfTests=spec.max_parallel_tests) or None,
        "EndpointConfigurations": [_configuration_members(each) for each in spec.configurations] or None,
        "ContainerConfig": _container_members(spec, old_inputs.get("ContainerConfig")),
        "Endpoints": [{"EndpointName": name} for name in spec.endpoints] or None,
        **{name: deepcopy(old_inputs[name]) for name in _KEPT_INPUTS if name in old_inputs},
    }
    return {
        "JobName": spec.name,
        "JobType": spec.job_type,
        "RoleArn": spec.role_arn,
        "InputConfig": _given(**inputs),
        **_given(StoppingConditions=_stop_members(spec.stop)),
        **{name: deepcopy(spec.request[name]) for name in _KEPT if name in spec.request},
    }


def _traffic(traffic: _Members) -> Traffic:
    if traffic_type(traffic) == "STAIRS":
        stairs = traffic["Stairs"]
        return Stairs(stairs["UsersPerStep"], stairs["NumberOfSteps"], stairs["DurationInSeconds"])
    return tuple(
        Phase(phase["InitialNumberOfUsers"], phase["SpawnRate"], phase["DurationInSeconds"])
        for phase in traffic["Phases"]
    )


def _traffic_members(traffic: Traffic) -> dict[str, Any]:
    if isinstance(traffic, Stairs):
        stairs = {
            "DurationInSeconds": traffic.duration_s,
            "NumberOfSteps": traffic.steps,
            "UsersPerStep": traffic.users_per_step,
        }
        return {"TrafficType": "STAIRS", "Stairs": stairs}
    phases = [
        {
            "InitialNumberOfUsers": phase.initial_users,
            "SpawnRate": phase.spawn_rate_per_min,
            "DurationInSeconds": phase.duration_s,
        }
        for phase in traffic
    ]
    return {"TrafficType": "PHASES", "Phases": phases}


def _stop(stop: _Members) -> StopConditions:
    latency = None
    for threshold in stop.get("ModelLatencyThresholds", ()):
        share = percentile_of(threshold["Percentile"])
        assert share is not None  # core.request.rules refuses every other name
        latency = LatencyThreshold(share, threshold["ValueInMilliseconds"])
    return StopConditions(
        max_invocations_per_min=stop.get("MaxInvocations"),
        latency=latency,
        flat_stops=stop.get("FlatInvocations", "Stop") == "Stop",
    )


def _stop_members(stop: StopConditions) -> dict[str, Any] | None:
    latency = stop.latency and [{"Percentile": stop.latency.name, "ValueInMilliseconds": stop.latency.limit_ms}]
    members = _given(
        MaxInvocations=stop.max_invocations_per_min,
        ModelLatencyThresholds=latency,
        FlatInvocations=None if stop.flat_stops else "Continue",
    )
    return members or None


def _configuration(configuration: _Members) -> EndpointConfiguration:
    serverless = configuration.get("ServerlessConfig")
    ranges = configuration.get("EnvironmentParameterRanges", {}).get("CategoricalParameterRanges", ())
    return EndpointConfiguration(
        instance_type=configuration.get("InstanceType"),
        serverless=serverless
        and Serverless(
            serverless["MemorySizeInMB"], serverless["MaxConcurrency"], serverless.get("ProvisionedConcurrency")
        ),
        inference_specification=configuration.get("InferenceSpecificationName"),
        environment_ranges=tuple((each["Name"], tuple(each["Value"])) for each in ranges),
    )


def _configuration_members(configuration: EndpointConfiguration) -> dict[str, Any]:
    serverless = configuration.serverless
    ranges = [{"Name": name, "Value": list(values)} for name, values in configuration.environment_ranges]
    return _given(
        InstanceType=configuration.instance_type,
        ServerlessConfig=serverless
        and _given(
            MemorySizeInMB=serverless.memory_mb,
            MaxConcurrency=serverless.max_concurrency,
            ProvisionedConcurrency=serverless.provisioned_concurrency,
        ),
        InferenceSpecificationName=configuration.inference_specification,
        EnvironmentParameterRanges={"CategoricalParameterRanges": ranges} if ranges else None,
    )


def _container_members(spec: JobSpec, old: _Members | None) -> dict[str, Any] | None:
    container = deepcopy(dict(old or {}))
    old_types = container.get("PayloadConfig", {}).get("SupportedContentTypes", [])
    keep_types = old_types[:1] == [spec.content_type]
    payload = _given(
        SamplePayloadUrl=spec.sample_payload_url,
        SupportedContentTypes=old_types if keep_types else spec.content_type and [spec.content_type],
    )
    if spec.content_type == "":
        payload["SupportedContentTypes"] = [""]
    if payload:
        container["PayloadConfig"] = payload
    else:
        container.pop("PayloadConfig", None)
    return container or None


def _given(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: member for name, member in members.items() if member is not None}
