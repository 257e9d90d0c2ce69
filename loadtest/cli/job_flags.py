"""A job without a file: the flags that make one, for every verb that can go without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar

import click

from loadtest.api import ReadJob, read_job
from loadtest.cli.file_flags import permissions
from loadtest.cli.open_loop import DEFAULT_DURATION_S
from loadtest.core.request.spec import Profile
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.compose import Wish, compose
from loadtest.jobfile.jobfile import ScenarioOptions

__all__ = ["job_flags", "job_of", "wish_of"]

Command = TypeVar("Command", bound=Callable[..., Any])

# flag -> (name in Wish, type, help)
_FLAGS: tuple[tuple[str, str, Any, str], ...] = (
    ("--stairs", "stairs", str, "Stairs of users: USERSxSTEPS/DURATION, such as 2x5/10m."),
    ("--phases", "phases", str, "Phases: USERS+USERS_A_MINUTE/DURATION,..., such as 1+3/120s,7/5m."),
    ("--p95", "p95", str, "Limit of the 95th percentile of latency, such as 200ms."),
    ("--p99", "p99", str, "Limit of the 99th percentile, in place of --p95."),
    ("--max-invocations", "max_invocations", int, "Successful invocations a minute at which the test is done."),
    ("--job-name", "name", str, "Name of the job.  [default: made of the target]"),
    ("--role-arn", "role_arn", str, "Role that AWS would run the job with; not used here.  [default: a placeholder]"),
)


def job_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as `job_...`, for `wish_of`."""
    for flag, name, kind, text in reversed(_FLAGS):
        command = click.option(flag, f"job_{name}", type=kind, help=text)(command)
    return command


def wish_of(given: Mapping[str, Any], target: str | None) -> Wish:
    """What the flags say."""
    return Wish(target=target, **{name: given[f"job_{name}"] for _, name, _, _ in _FLAGS})


def job_of(file: str | None, profile: Profile, given: Mapping[str, Any]) -> ReadJob:
    """The job of a file, or, without one, the job that the flags make. Raises SpecError with every problem."""
    flags = [flag for flag, name, _, _ in _FLAGS if given[f"job_{name}"] is not None]
    if file is not None:
        if flags:
            rule = "belongs to a job that is made of flags, but a FILE is given"
            raise SpecError([Problem(flag, "", rule, "leave one of them out") for flag in flags])
        return read_job(file, profile=profile, **permissions(given))
    target = given["target"] or (given["endpoint_name"] and f"sagemaker:{given['endpoint_name']}")
    if not flags and target is None and not given.get("rate"):
        advice = "give one, make one with `loadtest init`, or say --target and --stairs; `loadtest demo` needs nothing"
        raise SpecError([Problem("FILE", "", "there is no job", advice)])
    wish = wish_of(given, target)
    if given.get("rate") and wish.stairs is None and wish.phases is None:
        # Requests at a rate take the place of users; a request that has no traffic could have no threshold either.
        wish = replace(wish, stairs=f"1x1/{ceil(given['duration'] or DEFAULT_DURATION_S)}s")
    _, spec = compose(wish, profile)
    return ReadJob(spec, ScenarioOptions(target=target))
