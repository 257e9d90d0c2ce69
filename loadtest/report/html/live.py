"""A run while it goes on, as rows that a browser can draw: one a window, older ones joined. No I/O.

A browser that comes late is given `history`, then each row as it comes; what is joined later replaces its parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.core.measure.levels import level_named, plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.buckets import Bucket, buckets
from loadtest.report.html.chart import Chart, Series, Spec, Table, hover, layered, lines, x_axis
from loadtest.report.html.overtime import X, threshold_rule
from loadtest.report.words import clock, level_name

__all__ = ["LiveRun", "Row", "live_charts"]

RECENT = 600  # windows that are shown one by one
JOINED = 30  # of the older ones, as one row

Row = dict[str, Any]


@dataclass(slots=True)
class _Level:
    users: int
    name: str
    ok: int = 0
    length_s: float = 0.0


class LiveRun:
    """Takes the windows of a run of `plan` in order. For one thread at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._levels = {level.index: _Level(level.users, level_name(level)) for level in plan_levels(plan)}
        self._old: list[Row] = []
        self._recent: deque[Window] = deque()
        self._totals = {"ok": 0, "errors": 0}
        self._error_kinds: dict[str, int] = {}

    def window(self, window: Window, progress: Mapping[str, Any]) -> Row:
        """What to tell browsers of this window. progress: how near each stop condition is, as the controller says."""
        self._recent.append(window)
        self._totals["ok"] += window.ok
        self._totals["errors"] += window.failed
        for kind, n in window.counts.errors.items():
            self._error_kinds[kind] = self._error_kinds.get(kind, 0) + n
        named = level_named((), window)
        if named is not None:
            level = self._levels.setdefault(named.index, _Level(named.users, level_name(named)))
            level.ok += window.ok
            level.length_s += window.length_s
        told: Row = {"rows": [self._row([window])], **self._state(window, progress)}
        if len(self._recent) >= RECENT + JOINED:
            joined = self._row([self._recent.popleft() for _ in range(JOINED)])
            self._old.append(joined)
            told["rows"].append(joined)
        return told

    def history(self, progress: Mapping[str, Any]) -> Row:
        """Everything so far, in one."""
        rows = [*self._old, *(self._row([window]) for window in self._recent)]
        last = self._recent[-1] if self._recent else None
        return {"rows": rows, **({} if last is None else self._state(last, progress))}

    def _row(self, windows: list[Window]) -> Row:
        """from, to: what it stands for; a row takes the place of those within."""
        bucket: Bucket = buckets(windows, 1)[1][0]
        is_open = self._plan.arrivals is not None
        row = {
            "from": bucket.start_s,
            "to": bucket.end_s,
            "t": round(bucket.at_s, 2),
            "at": clock(bucket.at_s),
            "in flight": round(bucket.in_flight, 2),
            "throughput": round(bucket.per_s, 2),
            "errors": round(bucket.counts.failed / bucket.length_s, 3) if bucket.length_s > 0 else 0,
            "P50": bucket.latency.p50_ms,
            "P95": bucket.latency.p95_ms,
            "P99": bucket.latency.p99_ms,
        }
        if not is_open:
            row |= {"running": round(bucket.active, 2), "planned": round(bucket.planned, 2)}
        return {name: plain(value) for name, value in row.items()}

    def _state(self, window: Window, progress: Mapping[str, Any]) -> Row:
        measured = {i: level for i, level in self._levels.items() if level.length_s}
        levels = [
            {
                "users": level.users,
                "level": level.name,
                "throughput": round(level.ok / level.length_s, 2),
                "here": i == window.level,
            }
            for i, level in measured.items()
        ]
        return {
            "levels": levels if self._plan.arrivals is None else [],
            "totals": {**self._totals, "kinds": self._error_kinds},
            "users": window.users if window.users else 0,
            "running": window.load.running,
            "at_s": window.end_s,
            "end_s": self._plan.end_s,
            "health": {name: asdict(window.health)[name] for name in ("cpu", "loop_lag_s", "lost_workers")},
            "progress": plain(progress),
        }


def live_charts(plan: Plan) -> list[Chart]:
    """What is drawn while it runs; the data come row by row."""
    is_open, limit, none = plan.arrivals is not None, plan.stop.latency, Table((), ())
    users = (
        [Series("in flight", 2)] if is_open else [Series("running", 0), Series("planned", 6), Series("in flight", 2)]
    )
    shown = (
        ("users", "Requests in flight" if is_open else "Users", "requests" if is_open else "users", users, False),
        ("throughput", "Throughput", "successes a second", [Series("throughput", 2, False)], False),
        ("errors", "Errors", "failures a second", [Series("errors", 1, False)], False),
        ("latency", "Response latency" if is_open else "Latency", "ms", _percentiles(), True),
    )
    charts = []
    for name, title, unit, series, log in shown:
        tips = {"at": ("at", ""), **{each.name: (each.name, ",.3~f") for each in series}}
        rule = [threshold_rule(limit.limit_ms)] if limit is not None and name == "latency" else []
        layers = [*rule, lines("time", X, unit, series, log=log), hover("time", X, tips)]
        charts.append(
            Chart(name, title, f"{title} over time, {unit}", layered(layers, 190), {}, none, series, "t", True)
        )
    return charts if is_open else [_curve(), *charts]


def _percentiles() -> list[Series]:
    return [Series("P50", 0, False), Series("P95", 1, False), Series("P99", 3, False)]


def _curve() -> Chart:
    x, series = x_axis("users", "users", axis={"tickMinStep": 1}), [Series("throughput", 0, False)]
    here: Spec = {
        "data": {"name": "levels"},
        "transform": [{"filter": "datum.here"}],
        "mark": {"type": "point", "size": 260, "strokeWidth": 2.5, "color": "var(--c1)"},
        "encoding": {"x": x, "y": {"field": "throughput", "type": "quantitative"}},
    }
    tips = {"level": ("", ""), "throughput": ("successes a second", ",.2f")}
    layers = [lines("levels", x, "successes a second", series, points=True), here, hover("levels", x, tips)]
    text = "Throughput of each level so far; the ring is where the run is now"
    return Chart(
        "curve",
        "Throughput of each level, and where the run is",
        text,
        layered(layers, 230),
        {},
        Table((), ()),
        series,
        "users",
    )
