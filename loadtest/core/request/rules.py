"""What the members of a request mean together: the documents' rules that no single bound expresses.

Every rule takes the type-checked copy that `core.validation.validate` made, in which anything may be absent, and
notes what it finds. Sources: docs/decisions.md T1 to T12 and "Bounds: two profiles"; developer guide
"Run a custom load test" and "Troubleshoot Inference Recommender errors". Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from loadtest.core.request.findings import Findings, Path, shown
from loadtest.core.request.instance_types import BURSTABLE_PREFIX
from loadtest.core.request.percentile import percentile_of

__all__ = ["MAX_CHANGES", "MAX_USERS", "check_rules", "traffic_type"]

MAX_JUMP = 3  # users between the end of a phase and the start of the next
MAX_USERS = 100_000  # our own limits: more cannot be run, and a curve must stay a list that fits in memory
MAX_CHANGES = 1_000_000

_TRAFFIC: Path = ("InputConfig", "TrafficPattern")
_CONFIGURATIONS: Path = ("InputConfig", "EndpointConfigurations")

Members = Mapping[str, Any]


def check_rules(job: Members, findings: Findings) -> None:
    """Note every rule that `job` breaks."""
    inputs: Members = job.get("InputConfig", {})
    _job_type(job, inputs, findings)
    _model(inputs, findings)
    _payload(inputs, findings)
    _supported_types(inputs, findings)
    traffic: Members = inputs.get("TrafficPattern", {})
    if traffic or "TrafficPattern" in inputs:
        _traffic(traffic, inputs.get("JobDurationInSeconds"), findings)
    for i, endpoint in enumerate(inputs.get("Endpoints", [])):
        if endpoint is not None:
            _need(endpoint, ("EndpointName",), ("InputConfig", "Endpoints", i), findings)
    configurations = inputs.get("EndpointConfigurations", [])
    for i, configuration in enumerate(configurations):
        _configuration(configuration or {}, (*_CONFIGURATIONS, i), findings)
    limit = inputs.get("ResourceLimit", {}).get("MaxNumberOfTests")
    if limit is not None and len(configurations) > limit >= 1:
        findings.error(
            _CONFIGURATIONS,
            shown(configurations),
            f"there are more configurations than MaxNumberOfTests, {limit}",
            "raise MaxNumberOfTests or remove configurations",
        )
    _stop(job.get("StoppingConditions", {}), findings)


def traffic_type(traffic: Members) -> str | None:
    """TrafficType, or if it is absent the one whose members are given; None: cannot be told."""
    if "TrafficType" in traffic:
        return str(traffic["TrafficType"])
    given = [name for name in ("Phases", "Stairs") if name in traffic]
    return given[0].upper() if len(given) == 1 else None


def _job_type(job: Members, inputs: Members, findings: Findings) -> None:
    """T12: what each type of job must have and may not have."""
    kind = job.get("JobType")
    model = _any_given(inputs, findings, "ModelPackageVersionArn", "ModelName")
    endpoints = bool(inputs.get("Endpoints")) or findings.blames(("InputConfig", "Endpoints"))
    if "InputConfig" not in job or kind not in ("Default", "Advanced"):
        return
    configurations = bool(inputs.get("EndpointConfigurations")) or findings.blames(_CONFIGURATIONS)
    if kind == "Default":
        for name, path in (("TrafficPattern", _TRAFFIC), ("StoppingConditions", ("StoppingConditions",))):
            if name in (inputs if len(path) > 1 else job):
                findings.bound(path, "", "does not belong to a Default job", "use JobType Advanced or leave it out")
        if not model and not endpoints:
            findings.error(
                ("InputConfig",),
                "",
                "a Default job needs a model or Endpoints",
                "give ModelPackageVersionArn or ModelName",
            )
    else:
        if not _any_given(inputs, findings, "TrafficPattern"):
            findings.error(_TRAFFIC, "", "is required for an Advanced job")
        if not configurations and not endpoints:
            findings.error(_CONFIGURATIONS, "", "an Advanced job needs EndpointConfigurations or Endpoints")
    if configurations and not model and (endpoints or kind == "Advanced"):
        findings.bound(
            ("InputConfig", "ModelPackageVersionArn"), "", "one of ModelPackageVersionArn and ModelName is required"
        )


def _any_given(inputs: Members, findings: Findings, *names: str) -> bool:
    return any(name in inputs or findings.blames(("InputConfig", name)) for name in names)


def _model(inputs: Members, findings: Findings) -> None:
    if "ModelPackageVersionArn" in inputs and "ModelName" in inputs:
        findings.error(
            ("InputConfig", "ModelName"),
            shown(inputs["ModelName"]),
            "only one of ModelPackageVersionArn and ModelName can be given",
        )


def _payload(inputs: Members, findings: Findings) -> None:
    url = inputs.get("ContainerConfig", {}).get("PayloadConfig", {}).get("SamplePayloadUrl")
    path = ("InputConfig", "ContainerConfig", "PayloadConfig", "SamplePayloadUrl")
    if url is not None and not url.endswith(".tar.gz") and not findings.blames(path):
        findings.bound(path, shown(url), "must point to one archive with the suffix .tar.gz")


def _supported_types(inputs: Members, findings: Findings) -> None:
    path: Path = ("InputConfig", "ContainerConfig", "SupportedInstanceTypes")
    for i, name in enumerate(inputs.get("ContainerConfig", {}).get("SupportedInstanceTypes", [])):
        if name is not None:
            _burstable(name, (*path, i), findings)


def _burstable(instance_type: str, path: Path, findings: Findings) -> None:
    if instance_type.startswith(BURSTABLE_PREFIX) and not findings.blames(path):
        findings.bound(path, shown(instance_type), "burstable instance types are not allowed")


def _traffic(traffic: Members, duration_s: int | None, findings: Findings) -> None:
    kind = traffic_type(traffic)
    wanted, other = ("Phases", "Stairs") if kind == "PHASES" else ("Stairs", "Phases")
    if kind is None:
        if not findings.blames(_TRAFFIC):
            findings.error((*_TRAFFIC, "TrafficType"), "", "is required", "use one of PHASES, STAIRS")
    elif kind in ("PHASES", "STAIRS"):
        if wanted not in traffic and not findings.blames((*_TRAFFIC, wanted)):
            findings.error((*_TRAFFIC, wanted), "", f"is required with TrafficType {kind}")
        if other in traffic:
            findings.error(
                (*_TRAFFIC, other), "", f"does not belong to TrafficType {kind}", f"remove it or give {wanted}"
            )
    if "Stairs" in traffic:
        _stairs(traffic["Stairs"], duration_s, findings)
    if "Phases" in traffic:
        _phases(traffic["Phases"], duration_s, findings)


def _stairs(stairs: Members, duration_s: int | None, findings: Findings) -> None:
    path = (*_TRAFFIC, "Stairs")
    _need(stairs, ("DurationInSeconds", "NumberOfSteps", "UsersPerStep"), path, findings)
    length_s, steps, users = (stairs.get(n, 0) for n in ("DurationInSeconds", "NumberOfSteps", "UsersPerStep"))
    if steps * users > MAX_USERS:
        findings.error(path, "", f"plans {steps * users} users, at most {MAX_USERS} can be run")
    _total(length_s, duration_s, findings)


def _phases(phases: list[Members | None], duration_s: int | None, findings: Findings) -> None:
    names = ("InitialNumberOfUsers", "SpawnRate", "DurationInSeconds")
    for i, phase in enumerate(phases):
        if phase is not None:
            _need(phase, names, (*_TRAFFIC, "Phases", i), findings)
    numbers = [tuple((phase or {}).get(name) for name in names) for phase in phases]
    first = numbers[0][0] if numbers else None
    if first is not None and first > MAX_JUMP:
        findings.bound(
            (*_TRAFFIC, "Phases", 0, names[0]),
            shown(first),
            f"the first phase must start with at most {MAX_JUMP} users",
            f"1..{MAX_JUMP}",
        )
    for i, (before, after) in enumerate(pairwise(numbers), start=1):
        end, start = _end_users(*before), after[0]
        if end is not None and start is not None and start >= 1 and abs(start - end) > MAX_JUMP:
            findings.bound(
                (*_TRAFFIC, "Phases", i, names[0]),
                shown(start),
                f"must be within {MAX_JUMP} users of the end of the phase before, which has {end}",
                f"{max(1, end - MAX_JUMP)}..{end + MAX_JUMP}",
            )
    ends = [_end_users(*each) or 0 for each in numbers]
    for i, end in enumerate(ends):
        if end > MAX_USERS:
            findings.error((*_TRAFFIC, "Phases", i), "", f"plans {end} users, at most {MAX_USERS} can be run")
    changes = sum(end - (each[0] or 0) for end, each in zip(ends, numbers, strict=True) if end)
    if changes > MAX_CHANGES and max(ends) <= MAX_USERS:
        findings.error(
            (*_TRAFFIC, "Phases"), "", f"plans {changes} changes of the number of users, at most {MAX_CHANGES}"
        )
    if all(each[2] is not None for each in numbers):
        _total(sum(each[2] or 0 for each in numbers), duration_s, findings)


def _end_users(users: int | None, per_min: int | None, length_s: int | None) -> int | None:
    """B = A + S x D / 60 in whole users; None if a number is missing or below its minimum."""
    if users is None or per_min is None or length_s is None or users < 1 or per_min < 0 or length_s < 1:
        return None
    return users + per_min * length_s // 60


def _need(members: Members, names: tuple[str, ...], path: Path, findings: Findings) -> None:
    """The model makes these optional, but without them there is no curve."""
    for name in names:
        if name not in members and not findings.blames((*path, name)):
            findings.error((*path, name), "", "is required")


def _total(length_s: int, duration_s: int | None, findings: Findings) -> None:
    if duration_s is not None and length_s > duration_s >= 1:
        findings.bound(
            _TRAFFIC,
            "",
            f"the traffic takes {length_s} s, more than JobDurationInSeconds, {duration_s} s",
            f"JobDurationInSeconds of {length_s} or more, or shorter traffic",
        )


def _configuration(configuration: Members, path: Path, findings: Findings) -> None:
    instance, serverless = configuration.get("InstanceType"), configuration.get("ServerlessConfig")
    if instance is not None and serverless is not None:
        findings.error((*path, "ServerlessConfig"), "", "only one of InstanceType and ServerlessConfig can be given")
    if instance is None and serverless is None and not findings.blames(path) and not _blamed_inside(path, findings):
        findings.bound((*path, "InstanceType"), "", "one of InstanceType and ServerlessConfig is required")
    if instance is not None:
        _burstable(instance, (*path, "InstanceType"), findings)
    if serverless is not None:
        _serverless(serverless, (*path, "ServerlessConfig"), findings)
    ranges = configuration.get("EnvironmentParameterRanges", {}).get("CategoricalParameterRanges", [])
    seen: set[str] = set()
    for i, each in enumerate(ranges):
        name = (each or {}).get("Name")
        if name in seen:
            where = (*path, "EnvironmentParameterRanges", "CategoricalParameterRanges", i, "Name")
            findings.error(where, shown(name), "this environment variable already has a range")
        elif name is not None:
            seen.add(name)


def _blamed_inside(path: Path, findings: Findings) -> bool:
    return any(findings.blames((*path, name)) for name in ("InstanceType", "ServerlessConfig"))


def _serverless(serverless: Members, path: Path, findings: Findings) -> None:
    memory_mb = serverless.get("MemorySizeInMB")
    where = (*path, "MemorySizeInMB")
    if memory_mb is not None and memory_mb % 1024 and not findings.blames(where):
        findings.error(where, shown(memory_mb), "must be a multiple of 1024", "1024, 2048, 3072, 4096, 5120 or 6144")
    if "ProvisionedConcurrency" in serverless:
        concurrency = serverless["ProvisionedConcurrency"]
        where = (*path, "ProvisionedConcurrency")
        findings.bound(where, shown(concurrency), "is not supported by Inference Recommender", "leave it out")


def _stop(stop: Members, findings: Findings) -> None:
    rate = stop.get("MaxInvocations")
    if rate is not None and rate < 1:
        findings.error(("StoppingConditions", "MaxInvocations"), shown(rate), "must be at least 1", "1..30000")
    for i, threshold in enumerate(stop.get("ModelLatencyThresholds", [])):
        path: Path = ("StoppingConditions", "ModelLatencyThresholds", i)
        if threshold is None:
            continue
        _need(threshold, ("Percentile", "ValueInMilliseconds"), path, findings)
        limit_ms = threshold.get("ValueInMilliseconds")
        if limit_ms is not None and limit_ms < 1:
            findings.error((*path, "ValueInMilliseconds"), shown(limit_ms), "must be at least 1")
        name = threshold.get("Percentile")
        where = (*path, "Percentile")
        if name is None or name in ("P95", "P99") or findings.blames(where):
            continue
        note = findings.error if percentile_of(name) is None else findings.bound
        note(where, shown(name), "must be P95 or P99")
