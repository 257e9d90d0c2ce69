"""A job on the spot: a few words about target, traffic and threshold -> a CreateInferenceRecommendationsJob request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from loadtest.core.request.parse import parse_job
from loadtest.core.request.placeholder import PLACEHOLDER_INSTANCE, PLACEHOLDER_MODEL, PLACEHOLDER_ROLE
from loadtest.core.request.spec import JobSpec, Profile
from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.shorthand import PHASES_FORM, STAIRS_FORM, limit_ms_of, phases_of, stairs_of
from loadtest.targets.reference import check_target_ref, split_ref

__all__ = ["Wish", "compose", "name_of"]

MAX_NAME = 40  # of a name that is made here: shorter than the API's 64, so that a date fits behind it
_STAND_IN = "1x1/1s"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted, in the words of the command line; None: not said.

    target: a target reference. stairs, phases: one of them, as `jobfile.shorthand` reads it. p95, p99: at most one, a
    latency limit. max_invocations: a minute. name: of the job; None: made of the target. role_arn: None: a placeholder.
    """

    target: str | None = None
    stairs: str | None = None
    phases: str | None = None
    p95: str | None = None
    p99: str | None = None
    max_invocations: int | None = None
    name: str | None = None
    role_arn: str | None = None


def compose(wish: Wish, profile: Profile = "relaxed") -> tuple[dict[str, Any], JobSpec]:
    """(the request, the job that it asks for). Raises SpecError with every problem."""
    problems: list[Problem] = []
    inputs: dict[str, Any] = {"TrafficPattern": _traffic(wish, problems)}
    scheme, rest = _target(wish, problems)
    if scheme in ("sagemaker", "boto3"):
        inputs["Endpoints"] = [{"EndpointName": rest}]
    else:
        inputs["ModelName"] = PLACEHOLDER_MODEL
        inputs["EndpointConfigurations"] = [{"InstanceType": PLACEHOLDER_INSTANCE}]
    stop = _stop(wish, problems)
    request = {
        "JobName": name_of(wish.target or "") if wish.name is None else wish.name,
        "JobType": "Advanced",
        "RoleArn": PLACEHOLDER_ROLE if wish.role_arn is None else wish.role_arn,
        "InputConfig": inputs,
        **({"StoppingConditions": stop} if stop else {}),
    }
    try:
        spec = parse_job(request, profile)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from None
    if problems:
        raise SpecError(problems)
    return request, spec


def name_of(target: str) -> str:
    """A job's name for a target: what tells it from another, and nothing that may be a secret."""
    scheme, rest = split_ref(target)
    if scheme in ("http", "https"):
        rest = re.sub(r".*@", "", rest.strip("/").split("/")[0], flags=re.DOTALL)
        text = rest
    else:
        text = rest if scheme in ("sagemaker", "boto3") else scheme
    return re.sub(r"[^a-zA-Z0-9]+", "-", text)[:MAX_NAME].strip("-") or "job"


def _traffic(wish: Wish, problems: list[Problem]) -> dict[str, Any]:
    if wish.stairs is not None and wish.phases is not None:
        problems.append(Problem("--phases", wish.phases, "--stairs is given too", "give one of them"))
    if wish.stairs is None and wish.phases is None:
        advice = f"write --stairs {STAIRS_FORM}, or --phases {PHASES_FORM}"
        problems.append(Problem("--stairs", "", "a job needs traffic", advice))
        return stairs_of(_STAND_IN)[0]
    pattern: dict[str, Any] = {}
    for text, read in ((wish.phases, phases_of), (wish.stairs, stairs_of)):
        if text is not None:
            pattern, found = read(text)
            problems.extend(found)
    return pattern


def _target(wish: Wish, problems: list[Problem]) -> tuple[str, str]:
    if wish.target is None:
        advice = "write --target http://127.0.0.1:8080/invocations, sagemaker:NAME or mock:servers=4"
        problems.append(Problem("--target", "", "a job that is made of flags needs a target", advice))
        return "", ""
    try:
        check_target_ref(TargetRef(wish.target))
    except SpecError as error:
        problems.extend(error.problems)
        return "", ""
    return split_ref(wish.target)


def _stop(wish: Wish, problems: list[Problem]) -> dict[str, Any]:
    stop: dict[str, Any] = {}
    if wish.max_invocations is not None:
        stop["MaxInvocations"] = wish.max_invocations
    if wish.p95 is not None and wish.p99 is not None:
        problems.append(
            Problem("--p99", wish.p99, "--p95 is given too, and a job has one threshold", "give one of them")
        )
    for name, text in (("P99", wish.p99), ("P95", wish.p95)):
        if text is not None:
            limit_ms, found = limit_ms_of(text, f"--{name.lower()}")
            problems.extend(found)
            stop["ModelLatencyThresholds"] = [{"Percentile": name, "ValueInMilliseconds": limit_ms}]
    return stop
