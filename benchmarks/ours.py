"""This program as a client: the very path of `loadtest run`, with its signer, recorder, windows and stop rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.server import Server
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, RunOptions, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.parent import spawn

__all__ = ["Ours", "constant", "invoke", "plan_of", "run", "steady", "stop_rules"]

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Ours:
    """per_s: over the steady windows. cpu_us: of the generator, per request. failed: of the whole run."""

    per_s: float
    cpu_us: float
    cpu: float
    failed: int
    percentiles_ms: tuple[float, ...]
    user_clock: int
    result: RunResult


def constant(users: int, seconds: float) -> TrafficCurve:
    """All users at once."""
    return TrafficCurve((Step(0.0, users),), seconds)


def stop_rules(per_min: int = 10**9) -> StopConditions:
    """All of them, at limits that are not reached: they are computed, and end nothing."""
    return StopConditions(
        max_invocations_per_min=per_min,
        latency=LatencyThreshold(0.95, 600_000),
        flat_stops=True,
        max_error_ratio=0.5,
    )


def plan_of(
    server: Server,
    curve: TrafficCurve,
    *,
    ref: str = "sagemaker:bench",
    workers: int = 1,
    stop: StopConditions | None = None,
    options: RunOptions = RunOptions(),
    more: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan against `server`. more: further options of the target."""
    target = {"region": "us-east-1", "endpoint_url": server.url, "ca_file": server.ca_file, **(more or {})}
    return Plan(curve, stop or stop_rules(), TargetRef(ref, target), options=options, workers=workers)


def run(plan: Plan, *, on_window: Callable[[Window, Any], None] | None = None) -> RunResult:
    """Run it in processes of its own, as `loadtest run` does; the cores are this thread's."""
    os.environ.update(CREDENTIALS)
    running = spawn.start(plan, on_window=on_window)
    try:
        return running.result(plan.end_s + plan.options.drain_s + 120)
    except BaseException:
        running.kill()
        raise


def steady(result: RunResult, first: int = 1) -> Sequence[Window]:
    """The windows with all users, without the first ones and without the last."""
    windows = [w for w in result.windows if w.end_s <= result.plan.end_s + 0.2 and w.users == result.plan.curve.peak]
    return windows[first:-1] or windows[-1:]


def invoke(server: Server, users: int, seconds: float, **plan: Any) -> Ours:
    """Run `users` against `server`; one second more at each end is not counted."""
    result = run(plan_of(server, constant(users, seconds + 2), **plan))
    windows = steady(result)
    completed = sum(window.completed for window in windows)
    length_s = sum(window.length_s for window in windows)
    cpu_s = sum(window.health.cpu * window.length_s for window in windows)
    histogram = result.latency_histogram()
    return Ours(
        per_s=sum(window.ok for window in windows) / length_s,
        cpu_us=1e6 * cpu_s / max(completed, 1),
        cpu=cpu_s / length_s,
        failed=sum(window.failed for window in result.windows),
        percentiles_ms=tuple((us or 0) / 1000 for us in histogram.percentiles_us([0.50, 0.95, 0.99])),
        user_clock=sum(window.counts.user_clock for window in result.windows),
        result=result,
    )
