"""What CloudWatch would have told of chosen requests, as `cloudwatch.json` has it; and runs to lay it beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from windows import flat_frame

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, RunOptions, Stairs, StopConditions
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

__all__ = ["FIRST_AT", "STARTED_AT", "document", "latency_point", "minutes", "plan_of", "run_of", "series"]

STARTED_AT = 1_760_000_010.0  # 30 s after a whole minute
FIRST_AT = 1_759_999_980.0  # the whole minute before the run's start; its second one is the first inside level 0
ALL = ("p50", "p95", "p99", "TC(:100000)")


def latency_point(at: float, values_us: Sequence[float], *names: str) -> dict[str, float]:
    """One period of a latency. names: extended statistics besides the four plain ones: p95, TC(:100000)."""
    ordered = sorted(values_us)
    n = len(ordered)
    point = {"at": at, "Average": math.fsum(ordered) / n, "Minimum": ordered[0], "Maximum": ordered[-1]}
    point["SampleCount"] = float(n)
    for name in names:
        if name.startswith("TC(:"):
            limit = float(name[4:-1])
            point[name] = float(sum(value <= limit for value in ordered))
        else:
            point[name] = ordered[math.ceil(float(name[1:]) / 100 * n) - 1]
    return point


def series(metric: str, points: Sequence[Mapping[str, float]], variant: str = "v0") -> dict[str, Any]:
    return {"metric": metric, "dimensions": {"EndpointName": "e", "VariantName": variant}, "points": list(points)}


def minutes(n: int, model_us: Any = 30_000, overhead_us: float = 5_000, requests: int = 1200) -> list[dict[str, Any]]:
    """Series of the run's first n minutes; model_us: of each request, or of the i-th minute's requests."""
    ats = [FIRST_AT + 60 * i for i in range(n)]
    values = [(model_us(i) if callable(model_us) else [model_us] * requests) for i in range(n)]
    return [
        series("ModelLatency", [latency_point(at, v, *ALL) for at, v in zip(ats, values, strict=True)]),
        series("OverheadLatency", [latency_point(at, [overhead_us] * requests) for at in ats]),
        series("Invocations", [{"at": at, "Sum": float(len(v))} for at, v in zip(ats, values, strict=True)]),
    ]


def document(*of_metrics: Mapping[str, Any], period_s: int = 60, **members: Any) -> dict[str, Any]:
    return {
        "period_s": {"invocations": period_s, "instances": period_s},
        "series": list(of_metrics),
        "problems": [],
        **members,
    }


def plan_of(limit_ms: int | None = 100, steps: int = 2, level_s: int = 300, clock: str = "model") -> Plan:
    """Steps of two users more each."""
    return Plan(
        curve_of(Stairs(2, steps, steps * level_s)),
        StopConditions(latency=None if limit_ms is None else LatencyThreshold(0.95, limit_ms), flat_stops=False),
        TargetRef("sagemaker:e"),
        options=RunOptions(latency_clock=clock),  # type: ignore[arg-type]
    )


def run_of(plan: Plan, client_ms: Callable[[int], float], told: Mapping[str, Any] | None = None) -> RunResult:
    """Ten requests a user and second, each of that second's latency for the client, to the end of the plan."""
    levels, recorder = plan_levels(plan), Recorder(plan.stop.latency.limit_ns if plan.stop.latency else None, "model")
    windows: list[Window] = []
    for i in range(round(plan.end_s)):
        users = plan.curve.users_at(i)
        for _ in range(10 * users):
            recorder.record(Outcome(Kind.OK, 200, 7, 0, 0, round(client_ms(i) * 1e6)))
        busy = float(users)
        windows.append(recorder.take(flat_frame(i, i, i + 1.0, level_of(levels, i, i + 1.0), users, users, busy)))
    result = build_result(plan, windows, Stop(Reason.CURVE_END, {}), started_at=STARTED_AT)
    return replace(result, cloudwatch=told)
