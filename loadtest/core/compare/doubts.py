"""What stands between a comparison's figures and the endpoints: other plans, other machines, runs that are not to be
trusted. No clock, no I/O.

An interval speaks for what differs between two samples. Whether it was the endpoint that differed, only the way they
were taken can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from loadtest.core.judge.decision import Reason
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan

__all__ = ["doubts_of", "plan_differences"]

OF_THE_TARGET = "target_"  # facts of the environment that are about where the requests went


def plan_differences(plans: Sequence[Plan]) -> tuple[str, ...]:
    """What the plans differ in so that their figures are of different tests, in words; (): they are one test.

    Not the target, which a comparison is about, nor the seed.
    """
    first = plans[0]
    found: dict[str, None] = {}
    for other in plans[1:]:
        found |= dict.fromkeys(_differences(first, other))
    return tuple(found)


def _differences(a: Plan, b: Plan) -> Iterator[str]:
    if (a.arrivals is None) != (b.arrivals is None):
        yield "one workload is open, the other closed"
    elif a.arrivals and b.arrivals and replace(a.arrivals, seed=0) != replace(b.arrivals, seed=0):
        yield "the arrivals differ"
    if a.curve != b.curve:
        yield "the users over time differ"
    if a.end_s != b.end_s:
        yield f"the traffic ends after {a.end_s:g} s and {b.end_s:g} s"
    if a.stop != b.stop:
        yield "the stopping conditions differ"
    for name in ("window_s", "rate_window_s", "latency_clock", "drain_s"):
        if getattr(a.options, name) != getattr(b.options, name):
            yield f"{name} is {getattr(a.options, name)} and {getattr(b.options, name)}"
    if a.payload.content_type != b.payload.content_type:
        yield f"the content type is {a.payload.content_type} and {b.payload.content_type}"


def doubts_of(baseline: Sequence[RunResult], candidate: Sequence[RunResult]) -> tuple[str, ...]:
    """Sentences without a full stop; (): nothing was found that speaks against the comparison."""
    runs = [*_named("baseline", baseline), *_named("candidate", candidate)]
    found = [doubt for name, run in runs for doubt in _of_run(name, run)]
    found += _environments([run for _, run in runs])
    found += _overlaps(runs)
    if len({run.started_at is None for _, run in runs}) > 1:
        found.append("runs in virtual time are compared with real ones")
    if len({run.plan.workers for _, run in runs}) > 1:
        found.append("they had different numbers of generator processes")
    if len({run.plan.payload.path for _, run in runs}) > 1:
        found.append("the request bodies came from different files")
    if len({frozenset(worker.host for worker in run.workers) for _, run in runs}) > 1:
        found.append("the load came from different hosts")
    if len(runs) == 2:
        found.append("one run a side: how much runs of one endpoint differ from each other is not known; repeat them")
    return tuple(found)


def _named(side: str, results: Sequence[RunResult]) -> list[tuple[str, RunResult]]:
    if len(results) == 1:
        return [(f"the {side}", results[0])]
    return [(f"run {number} of the {side}", result) for number, result in enumerate(results, 1)]


def _of_run(name: str, run: RunResult) -> Iterator[str]:
    if not run.trust.valid:
        reasons = "; ".join(reason.text for reason in run.trust.reasons) or "its generator set the pace"
        yield f"{name} is INVALID: {reasons}"
    lost = max(run.totals.lost_workers, sum(worker.lost for worker in run.workers))
    if lost and run.trust.valid:
        yield f"{name} lost {lost} generator processes"
    if run.reason is Reason.LATENCY:
        level = next((each.level for each in run.verdicts if each.answer == "not met"), None)
        users = "" if level is None else f" at {next(each.users for each in run.levels if each.level == level)} users"
        yield f"{name} ended where it broke its latency threshold{users}: that level's figures are not compared"
    if run.reason.value in ("USER", "ENGINE_LOST", "TARGET_DOWN", "ERRORS"):
        yield f"{name} ended early ({run.reason.value})"


def _environments(runs: Sequence[RunResult]) -> Iterator[str]:
    names = dict.fromkeys(name for run in runs for name in run.environment if not name.startswith(OF_THE_TARGET))
    different = []
    for name in names:
        values: dict[Any, None] = dict.fromkeys(run.environment.get(name, "not told") for run in runs)
        if len(values) > 1:
            different.append(f"{name} {' and '.join(map(str, values))}")
    if different:
        yield f"the generator's machine or versions differ: {'; '.join(different)}"


def _overlaps(runs: Sequence[tuple[str, RunResult]]) -> Iterator[str]:
    for (name, run), (other_name, other) in combinations(runs, 2):
        if run.started_at is None or other.started_at is None:
            continue
        first, last = sorted((run, other), key=lambda each: each.started_at or 0.0)
        if (last.started_at or 0.0) < (first.started_at or 0.0) + first.totals.length_s:
            yield f"{name} and {other_name} ran at the same time, and may have disturbed each other"
