"""The levels of a run: which stretches results are reported for, and what was measured in each.

Engine, controller and report all take the levels from `plan_levels`, so that an index means the same everywhere.
No clock, no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from loadtest.core.measure.counters import merged
from loadtest.core.measure.distribution import distribution_figures
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Level, Step, TrafficCurve
from loadtest.core.traffic.plan import Plan

__all__ = ["LevelResult", "level_of", "level_results", "percentiles_ms", "plan_levels"]

MIN_WINDOWS = 2  # of a level, so that it holds at least one whole window wherever its bounds lie
SLACK_S = 1e-6  # window bounds are sums of floats


def plan_levels(plan: Plan) -> tuple[Level, ...]:
    """The levels of a plan's traffic up to `plan.end_s`, each at least two windows long if the traffic is."""
    curve = plan.curve
    if plan.end_s < curve.end_s:
        curve = TrafficCurve(tuple(Step(s.at_s, s.users) for s in curve.steps if s.at_s < plan.end_s), plan.end_s)
    return curve.levels(MIN_WINDOWS * plan.options.window_s)


def level_of(levels: Sequence[Level], start_s: float, end_s: float) -> int | None:
    """Index of the level that [start_s, end_s) lies in wholly; None: it straddles two, or lies outside all."""
    for level in levels:
        if level.start_s - SLACK_S <= start_s and end_s <= level.end_s + SLACK_S:
            return level.index
    return None


@dataclass(frozen=True, slots=True)
class LevelResult:
    """What was measured in one level, from the windows that lie in it wholly.

    level, users, from_users, start_s, end_s: of the plan (`Level`).
    windows, measured_s: how many windows count, and their summed length; 0: the run did not get there.
    ok, errors, error_kinds: completions; throughput_per_s: ok / measured_s, None if nothing was measured.
    in_flight, active: means over the measured time; None if nothing was measured.
    *_ms: client's clock, successes only, None without a success; model_*: the endpoint's own time (S4).
    over: requests over the latency threshold on the threshold's clock, failures included.
    response_*_ms: of an open workload, latency from the intended send time; None in a closed one.
    ttfb_*_ms, inter_chunk_*_ms: of streamed answers, to the first part and from part to part; None if none was.
    connects, reconnects, connect_*_ms: as in `Window`; None if no connection was opened.
    latency, model_latency: the level's HDR histograms (us), V2 compressed base64; "" without a success.
    """

    level: int
    users: int
    from_users: int
    start_s: float
    end_s: float
    windows: int = 0
    measured_s: float = 0.0
    ok: int = 0
    errors: int = 0
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    throughput_per_s: float | None = None
    in_flight: float | None = None
    active: float | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    model_p50_ms: float | None = None
    model_p95_ms: float | None = None
    model_p99_ms: float | None = None
    over: int = 0
    latency: str = ""
    model_latency: str = ""
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    response_max_ms: float | None = None
    ttfb_p50_ms: float | None = None
    ttfb_p95_ms: float | None = None
    ttfb_p99_ms: float | None = None
    ttfb_max_ms: float | None = None
    inter_chunk_p50_ms: float | None = None
    inter_chunk_p95_ms: float | None = None
    inter_chunk_p99_ms: float | None = None
    inter_chunk_max_ms: float | None = None
    connects: int = 0
    reconnects: int = 0
    connect_p50_ms: float | None = None
    connect_p95_ms: float | None = None
    connect_p99_ms: float | None = None
    connect_max_ms: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LevelResult:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def level_results(levels: Sequence[Level], windows: Sequence[Window]) -> tuple[LevelResult, ...]:
    """One result for every level that has a window or was planned to begin before the last window's end."""
    reached_s = max((window.end_s for window in windows), default=0.0)
    return tuple(
        _level_result(level, [window for window in windows if window.level == level.index])
        for level in levels
        if level.start_s < reached_s
    )


def _level_result(level: Level, windows: Sequence[Window]) -> LevelResult:
    measured_s = sum(window.length_s for window in windows)
    ok = sum(window.ok for window in windows)
    client = merged(window.latency for window in windows)
    model = merged(window.model_latency for window in windows)
    max_ms = max((window.max_ms for window in windows if window.max_ms is not None), default=None)
    p50, p95, p99 = percentiles_ms(client, max_ms=max_ms)
    model_p50, model_p95, model_p99 = percentiles_ms(model)
    kinds: Counter[str] = Counter()
    for window in windows:
        kinds.update(window.errors)
    return LevelResult(
        level=level.index,
        users=level.users,
        from_users=level.from_users,
        start_s=level.start_s,
        end_s=level.end_s,
        windows=len(windows),
        measured_s=measured_s,
        ok=ok,
        errors=kinds.total(),
        error_kinds=dict(kinds),
        throughput_per_s=ok / measured_s if measured_s else None,
        in_flight=sum(w.in_flight * w.length_s for w in windows) / measured_s if measured_s else None,
        active=sum(w.active * w.length_s for w in windows) / measured_s if measured_s else None,
        mean_ms=1000 * sum(window.latency_sum_s for window in windows) / ok if ok else None,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=max_ms,
        model_p50_ms=model_p50,
        model_p95_ms=model_p95,
        model_p99_ms=model_p99,
        over=sum(window.over for window in windows),
        latency=client.encode() if client.total else "",
        model_latency=model.encode() if model.total else "",
        connects=sum(window.connects for window in windows),
        reconnects=sum(window.reconnects for window in windows),
        **distribution_figures(windows),
    )


def percentiles_ms(
    histogram: Histogram, shares: Sequence[float] = (0.50, 0.95, 0.99), max_ms: float | None = None
) -> list[float | None]:
    """Percentiles in ms; None if empty. max_ms: the exact maximum, which no percentile then exceeds by its rounding."""
    values_ms = [None if us is None else us / 1000 for us in histogram.percentiles_us(shares)]
    return values_ms if max_ms is None else [ms and min(ms, max_ms) for ms in values_ms]
