"""What CloudWatch told of a run, a publishing period at a time, beside what the client measured in the same time.

    cloudwatch.json  ->  Period, Period, ...  (run time, ms)      only whole periods inside a level count for that level

A period is aligned with the wall clock, a window with the start of the run: a window belongs to the period that its
middle lies in. The document is that of `loadtest.aws.telemetry`. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.measure.counters import merged
from loadtest.core.measure.levels import SLACK_S, plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.result.spread import Point, Spread, spread_of
from loadtest.core.traffic.curve import Level
from loadtest.core.traffic.plan import Plan

__all__ = [
    "COVERED",
    "KEPT_AS",
    "PERCENTILES",
    "ClientSide",
    "Period",
    "Usage",
    "client_side",
    "clock_offset_s",
    "periods_of",
    "run_levels",
    "unpublished",
    "usage_of",
    "within_levels",
]

KEPT_AS = "cloudwatch.json"  # in a run's folder
PERCENTILES = (0.5, 0.95, 0.99)
COVERED = 0.8  # of a period's time the client must have measured to be laid beside it
OFFSET_S = 1.5  # of two clocks; less cannot be told from the whole seconds of an answer's Date
USED = {
    "CPUUtilization": "cpu",
    "MemoryUtilization": "memory",
    "GPUUtilization": "gpu",
    "GPUMemoryUtilization": "gpu_memory",
    "DiskUtilization": "disk",
}
SUMS = {
    "Invocations": "invocations",
    "InvocationsPerInstance": "per_instance",
    "InvocationsPerCopy": "per_instance",
    "Invocation4XXErrors": "errors_4xx",
    "Invocation5XXErrors": "errors_5xx",
    "InvocationModelErrors": "model_errors",
}


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What this client measured in the same time. failed: of the endpoint's making. Latencies of successes, ms."""

    completed: int = 0
    ok: int = 0
    failed: int = 0
    covered_s: float = 0.0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """[start_s, end_s) of the run's time; negative where it began before the run. level: that it lies in wholly.

    model, overhead: ModelLatency and OverheadLatency. Counts are None where no point came. per_instance: each request
    counted 1 / instances. concurrent: the most requests at once in a model. setup_ms: mean of ModelSetupTime.
    """

    start_s: float
    end_s: float
    level: int | None = None
    model: Spread = Spread()
    overhead: Spread = Spread()
    client: ClientSide = ClientSide()
    invocations: float | None = None
    per_instance: float | None = None
    errors_4xx: float | None = None
    errors_5xx: float | None = None
    model_errors: float | None = None
    concurrent: float | None = None
    setup_ms: float | None = None

    @property
    def comparable(self) -> bool:
        """Both clocks told of it, and the client measured nearly all of the time."""
        length_s = self.end_s - self.start_s
        told = self.model.mean_ms is not None and self.overhead.mean_ms is not None
        return told and self.client.mean_ms is not None and self.client.covered_s >= COVERED * length_s

    @property
    def network_ms(self) -> float | None:
        """What is left of the client's mean, which may be negative: client - overhead - model. None: not comparable."""
        if not self.comparable:
            return None
        assert self.client.mean_ms is not None
        assert self.overhead.mean_ms is not None
        assert self.model.mean_ms is not None
        return self.client.mean_ms - self.overhead.mean_ms - self.model.mean_ms


@dataclass(frozen=True, slots=True)
class Usage:
    """How busy the instances were, percent, mean over them; CPU and GPU are 0 .. 100 a core. None: no point."""

    start_s: float
    end_s: float
    level: int | None = None
    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    gpu_memory: float | None = None
    disk: float | None = None


def run_levels(plan: Plan, windows: Sequence[Window], stopped_at_s: float | None) -> tuple[Level, ...]:
    """The plan's levels as far as the traffic went."""
    last_s = max((window.end_s for window in windows if window.users), default=0.0)
    end_s = last_s if stopped_at_s is None else min(last_s, stopped_at_s)
    reached = (level for level in plan_levels(plan) if level.start_s < end_s)
    return tuple(replace(level, end_s=min(level.end_s, end_s)) for level in reached)


def within_levels(start_s: float, end_s: float, levels: Sequence[Level]) -> int | None:
    """Index of the level that holds a stretch wholly."""
    inside = (each for each in levels if each.start_s - SLACK_S <= start_s and end_s <= each.end_s + SLACK_S)
    found = next(inside, None)
    return None if found is None else found.index


def periods_of(
    document: Mapping[str, Any],
    windows: Sequence[Window],
    levels: Sequence[Level],
    started_at: float,
    limit_ms: float | None = None,
) -> tuple[Period, ...]:
    """Every period of the invocation metrics that has a point, in order.

    windows: of the run, in order. levels: of `run_levels`. started_at: epoch seconds. limit_ms: of the threshold.
    """
    period_s = float(document["period_s"]["invocations"])
    points = _by_time(document, instances=False)
    zero_at = started_at - clock_offset_s(document)
    bounds = [(at - zero_at, at - zero_at + period_s) for at in sorted(points)]
    parts = _windows_by_period(windows, bounds)
    return tuple(
        _period(points[at], start_s, end_s, within_levels(start_s, end_s, levels), part, limit_ms)
        for at, (start_s, end_s), part in zip(sorted(points), bounds, parts, strict=True)
    )


def usage_of(document: Mapping[str, Any], levels: Sequence[Level], started_at: float) -> tuple[Usage, ...]:
    """Every period of the instances' metrics that has a point, in order."""
    period_s = float(document["period_s"]["instances"])
    zero_at = started_at - clock_offset_s(document)
    found = []
    for at, of_metric in sorted(_by_time(document, instances=True).items()):
        means = {
            USED[name]: sum(point["Average"] for point in points) / len(points)
            for name, points in of_metric.items()
            if name in USED and all("Average" in point for point in points)
        }
        start_s, end_s = at - zero_at, at - zero_at + period_s
        found.append(Usage(start_s, end_s, within_levels(start_s, end_s, levels), **means))
    return tuple(found)


def unpublished(
    document: Mapping[str, Any], plan: Plan, windows: Sequence[Window], started_at: float, stopped_at_s: float | None
) -> list[tuple[float, int]]:
    """(beginning in AWS's epoch seconds, level) of the periods inside levels in which requests succeeded, and whose
    points are not all there: no ModelLatency, OverheadLatency or Invocations, or of fewer requests than were answered.
    """
    period_s = float(document["period_s"]["invocations"])
    levels = run_levels(plan, windows, stopped_at_s)
    zero_at = started_at - clock_offset_s(document)
    first = math.ceil((zero_at - SLACK_S) / period_s) * period_s
    last_s = levels[-1].end_s if levels else 0.0
    starts = [first + i * period_s for i in range(max(0, int((zero_at + last_s - first + SLACK_S) // period_s)))]
    bounds = [(at - zero_at, at - zero_at + period_s) for at in starts]
    points = _by_time(document, instances=False)
    missing = []
    for at, (start_s, end_s), part in zip(starts, bounds, _windows_by_period(windows, bounds), strict=True):
        ok = sum(window.ok for window in part)
        level = within_levels(start_s, end_s, levels)
        if not ok or level is None:
            continue
        there = points.get(at, {})
        counted = sum(point.get("SampleCount", 0) for point in there.get("ModelLatency", ()))
        # Requests at a period's edges count in the one or the other.
        if {"ModelLatency", "OverheadLatency", "Invocations"} - there.keys() or counted < 0.95 * ok - 2:
            missing.append((at, level))
    return missing


def client_side(windows: Sequence[Window]) -> ClientSide:
    """Of some windows together."""
    ok, latency_s = sum(window.ok for window in windows), sum(window.counts.latency_sum_s for window in windows)
    histogram = merged(window.latencies.client.encoded for window in windows)
    p50, p95, p99 = (None if us is None else us / 1000 for us in histogram.percentiles_us(PERCENTILES))
    return ClientSide(
        completed=sum(window.completed for window in windows),
        ok=ok,
        failed=sum(window.counts.failed - window.counts.own for window in windows),
        covered_s=sum(window.length_s for window in windows),
        mean_ms=1000 * latency_s / ok if ok else None,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def clock_offset_s(document: Mapping[str, Any]) -> float:
    """This machine's clock less AWS's, as it is taken into account: 0 where they agree as far as one can see."""
    offset_s = float(document.get("clock_offset_s") or 0.0)
    return offset_s if abs(offset_s) > OFFSET_S else 0.0


def _by_time(document: Mapping[str, Any], *, instances: bool) -> dict[float, dict[str, list[Point]]]:
    """Beginning of the period -> metric -> a point of each variant."""
    found: dict[float, dict[str, list[Point]]] = {}
    for series in document["series"]:
        if (series["metric"] in USED) is instances:
            for point in series["points"]:
                found.setdefault(float(point["at"]), {}).setdefault(series["metric"], []).append(point)
    return found


def _windows_by_period(windows: Sequence[Window], bounds: Sequence[tuple[float, float]]) -> Iterator[Sequence[Window]]:
    """Of each period the windows whose middle lies in it. bounds: in order, apart from each other."""
    at = 0
    for start_s, end_s in bounds:
        while at < len(windows) and _middle_s(windows[at]) < start_s:
            at += 1
        first = at
        while at < len(windows) and _middle_s(windows[at]) < end_s:
            at += 1
        yield windows[first:at]


def _middle_s(window: Window) -> float:
    return (window.start_s + window.end_s) / 2


def _period(
    points: Mapping[str, Sequence[Point]],
    start_s: float,
    end_s: float,
    level: int | None,
    windows: Sequence[Window],
    limit_ms: float | None,
) -> Period:
    sums = {
        SUMS[name]: math.fsum(point["Sum"] for point in of_one)
        for name, of_one in points.items()
        if name in SUMS and all("Sum" in point for point in of_one)
    }
    if any(len(points.get(name, ())) > 1 for name in SUMS if "Per" in name):
        sums.pop("per_instance", None)  # of several variants they do not add up to one figure
    concurrent = [
        point["Maximum"]
        for name in ("ConcurrentRequestsPerModel", "ConcurrentRequestsPerCopy")
        for point in points.get(name, ())
        if "Maximum" in point
    ]
    return Period(
        start_s,
        end_s,
        level,
        model=spread_of(points.get("ModelLatency", ()), limit_ms),
        overhead=spread_of(points.get("OverheadLatency", ()), None),
        client=client_side(windows),
        concurrent=max(concurrent, default=None),
        setup_ms=spread_of(points.get("ModelSetupTime", ()), None).mean_ms,
        **sums,
    )
