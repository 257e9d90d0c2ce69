"""The levels of a run: which stretches results are reported for, and what was measured in each.

Engine, controller and report all take the levels from `plan_levels`, so that an index means the same everywhere.
No clock, no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Latencies
from loadtest.core.measure.openings import Connects
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Level, Step, TrafficCurve
from loadtest.core.traffic.plan import Plan

__all__ = ["LevelResult", "level_named", "level_of", "level_results", "plan_levels", "taken_together"]

MIN_WINDOWS = 2  # of a level, so that it holds at least one whole window wherever its bounds lie
SERVICE = ["p50_ms", "p95_ms", "p99_ms", "max_ms", "model_p50_ms", "model_p95_ms", "model_p99_ms"]
SLACK_S = 1e-6  # window bounds are sums of floats


def plan_levels(plan: Plan) -> tuple[Level, ...]:
    """The levels of a plan's traffic up to `plan.end_s`, each at least two windows long if the traffic is."""
    curve = plan.curve
    if plan.end_s < curve.end_s:
        curve = TrafficCurve(tuple(Step(s.at_s, s.users) for s in curve.steps if s.at_s < plan.end_s), plan.end_s)
    if plan.search is not None:
        # Each load that was held is one, however short: an index must not change when the curve grows.
        times_s = [0.0, *(at_s for at_s, _ in plan.moves), curve.end_s]
        users = [curve.users_at(at_s) for at_s in times_s[:-1]]
        rates = [None] * len(users) if plan.arrivals is None else [plan.arrivals.rate_at(at_s) for at_s in times_s[:-1]]
        return tuple(Level(i, times_s[i], times_s[i + 1], n, n, rates[i]) for i, n in enumerate(users))
    return curve.levels(MIN_WINDOWS * plan.options.window_s)


def level_named(levels: Sequence[Level], window: Window) -> Level | None:
    """The level of `window`; None: it lies in none. One that a search began later is as long as the window."""
    if window.level is None:
        return None
    if window.level < len(levels):
        return levels[window.level]
    return Level(window.level, window.start_s, window.end_s, window.users, window.users)


def level_of(levels: Sequence[Level], start_s: float, end_s: float) -> int | None:
    """Index of the level that [start_s, end_s) lies in wholly; None: it straddles two, or lies outside all."""
    for level in levels:
        if level.start_s - SLACK_S <= start_s and end_s <= level.end_s + SLACK_S:
            return level.index
    return None


@dataclass(frozen=True, slots=True)
class LevelResult:
    """What was measured in one level, from the windows that lie in it wholly.

    plan: the level as it was planned. windows, measured_s: how many windows count, and their summed length; 0: the run
    did not get there. in_flight, active: means over the measured time; None if nothing was measured.
    connects, reconnects: as in `Connects`.
    latencies: the client's and the model's with their histograms, the others without.
    """

    plan: Level
    windows: int = 0
    measured_s: float = 0.0
    counts: Counts = Counts()
    latencies: Latencies = Latencies()
    connects: int = 0
    reconnects: int = 0
    in_flight: float | None = None
    active: float | None = None

    @property
    def level(self) -> int:
        """Its index."""
        return self.plan.index

    @property
    def users(self) -> int:
        return self.plan.users

    @property
    def ok(self) -> int:
        return self.counts.ok

    @property
    def errors(self) -> int:
        return self.counts.failed

    @property
    def throughput_per_s(self) -> float | None:
        """Successes a second; None if nothing was measured."""
        return self.ok / self.measured_s if self.measured_s else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, flat."""
        level, counts, histograms = self.plan, self.counts, self.latencies.histograms()
        figures = self.latencies.figures()
        return {
            "level": level.index,
            "users": level.users,
            "from_users": level.from_users,
            "start_s": level.start_s,
            "end_s": level.end_s,
            "rate_per_s": level.rate_per_s,
            "windows": self.windows,
            "measured_s": self.measured_s,
            "ok": counts.ok,
            "errors": counts.failed,
            "error_kinds": dict(counts.errors),
            "throughput_per_s": self.throughput_per_s,
            "in_flight": self.in_flight,
            "active": self.active,
            "mean_ms": self.latencies.client.mean_ms,
            **{name: figures.pop(name) for name in SERVICE},
            "over": counts.over,
            "latency": histograms["latency"],
            "model_latency": histograms["model_latency"],
            **{name: value for name, value in figures.items() if not name.startswith("connect_")},
            "connects": self.connects,
            "reconnects": self.reconnects,
            **{name: value for name, value in figures.items() if name.startswith("connect_")},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LevelResult:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        return cls(
            Level(
                values["level"],
                values["start_s"],
                values["end_s"],
                values["users"],
                values["from_users"],
                values.get("rate_per_s"),
            ),
            windows=values["windows"],
            measured_s=values["measured_s"],
            counts=Counts(ok=values["ok"], errors=values["error_kinds"], over=values["over"]),
            latencies=Latencies.from_flat(values),
            connects=values.get("connects", 0),
            reconnects=values.get("reconnects", 0),
            in_flight=values["in_flight"],
            active=values["active"],
        )


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
    connections = Connects.sum(window.connections for window in windows)
    counts = Counts.sum((window.counts for window in windows), batches=False)
    latencies = Latencies.merged([window.latencies for window in windows]).without_histograms("client", "model")
    return LevelResult(
        level,
        windows=len(windows),
        measured_s=measured_s,
        counts=Counts(ok=counts.ok, errors=counts.errors, over=counts.over),
        latencies=replace(latencies, client=replace(latencies.client, mean_ms=counts.mean_ms)),
        connects=connections.connects,
        reconnects=connections.reconnects,
        in_flight=sum(w.load.in_flight * w.length_s for w in windows) / measured_s if measured_s else None,
        active=sum(w.load.active * w.length_s for w in windows) / measured_s if measured_s else None,
    )


def taken_together(levels: Sequence[LevelResult], windows: Sequence[Window]) -> list[Latencies]:
    """The client's and the model's latencies of `windows`: of a level that is among them whole, its own sum.

    Decoding histograms takes longer than all that is done with them, and a level's are decoded already.
    """
    held = Counter(window.level for window in windows)
    whole = [level for level in levels if level.windows and held[level.level] == level.windows]
    known = {level.level for level in whole}
    return [*(level.latencies for level in whole), *(w.latencies for w in windows if w.level not in known)]
