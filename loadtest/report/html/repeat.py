"""The command that runs the same test again, from what the folder says. No I/O."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import RunOptions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import NOT_KEPT, Plan

__all__ = ["anonymous", "command_line"]

SEARCH_FLAGS = ("seed", "window_s", "drain_s", "latency_clock")  # of `loadtest capacity`
_USER = re.compile(r"//[^/@\s]+@")  # an address may have a name and a password in it


def command_line(result: RunResult) -> str:
    """`loadtest run job.json ...`, for the folder's own job.json. Options at their defaults are left out.

    A header that was given and not kept is named, not shown.
    """
    plan = Plan.from_dict(result.plan.shown())  # as files have it: of a run that has just ended, more is known
    verb = "run" if plan.search is None else "capacity" if plan.search.goal == "objective" else "recommend"
    words = ["loadtest", verb, "job.json", *(() if verb == "recommend" else _words(plan))]
    private = [_name(name) for name, value in plan.target.options.items() if value == NOT_KEPT]
    comment = f"  # and {', '.join(private)}: given, and not kept" if private else ""
    return anonymous(shlex.join(words)) + comment


def anonymous(text: str) -> str:
    """`text` without the name and password that an address in it has."""
    return _USER.sub("//", text)


def _words(plan: Plan) -> Iterator[str]:
    yield from ("--target", plan.target.ref)
    default = RunOptions()
    for option in fields(RunOptions):
        value = getattr(plan.options, option.name)
        told = plan.search is None or option.name in SEARCH_FLAGS
        if told and value != getattr(default, option.name):
            yield from _flag(option.name, value)
    if plan.payload.path is not None:
        yield from ("--payload", plan.payload.path)
    if plan.payload.content_type != "application/json":
        yield from ("--content-type", plan.payload.content_type)
    if plan.workers != 1:
        yield from ("--workers", str(plan.workers))
    if plan.search is not None:
        yield from _search(plan.search)
    elif (arrivals := plan.arrivals) is not None:
        yield from ("--rate", f"{arrivals.rate_per_s:g}/s", "--duration", f"{arrivals.duration_s:g}s")
        yield from ("--arrivals", arrivals.law, "--max-in-flight", str(plan.curve.peak))
    for name, value in plan.target.options.items():
        if value is True:
            yield _name(name)
        elif value not in (None, False, NOT_KEPT):
            yield from _flag(name, value)


def _search(asked: SearchSettings) -> Iterator[str]:
    for each in asked.objectives:
        yield from ("--threshold", f"p{100 * each.percentile:g}<{each.limit_ms:g}ms")
    if asked.max_error_ratio is not None:
        yield from ("--threshold", f"error_rate<{100 * asked.max_error_ratio:g}%")
    most = ("--max-users", f"{asked.max_load:.0f}") if asked.by == "users" else ("--max-rate", f"{asked.max_load:g}/s")
    yield from (
        "--by",
        asked.by,
        "--within",
        f"{100 * asked.within:g}%",
        "--confidence",
        f"{100 * asked.confidence:g}%",
    )
    yield from ("--budget", f"{asked.budget_s:g}s", *most)


def _flag(name: str, value: Any) -> Iterator[str]:
    yield from (_name(name), f"{value:g}s" if name.endswith("_s") else str(value))


def _name(option: str) -> str:
    if option == "profile":
        return "--aws-profile"
    return f"--{option.removesuffix('_s').replace('_', '-')}"
