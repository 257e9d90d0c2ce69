"""A run so far, as its screen needs it: what was measured along the curve's time, and in each level.

Costs the same per window however long the run is. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.core.judge.trust import TrustWatch
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import level_named, plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Level
from loadtest.core.traffic.plan import Plan

__all__ = ["LevelSoFar", "RunSoFar", "Track"]

BINS = 600  # of the curve's time: more than a terminal has columns


@dataclass(slots=True)
class LevelSoFar:
    """A level of a run that goes on.

    plan: the level as planned. verdict: of the latency threshold; "": there is none.
    """

    plan: Level
    ok: int = 0
    errors: int = 0
    length_s: float = 0.0
    latency: Histogram = field(default_factory=Histogram)
    verdict: str = ""

    def add(self, window: Window, verdict: str) -> None:
        self.ok += window.ok
        self.errors += window.failed
        self.length_s += window.length_s
        self.latency.add(Histogram.decode(window.latencies.judged.encoded))
        self.verdict = verdict


class Track:
    """Throughput and P95 along the curve's time, [0, end_s)."""

    def __init__(self, end_s: float) -> None:
        self._bin_s = end_s / BINS
        self._ok = [0.0] * BINS
        self._length_s = [0.0] * BINS
        self._p95_ms: list[float | None] = [None] * BINS

    def add(self, window: Window) -> None:
        """A window's requests are spread evenly over its time."""
        if window.length_s <= 0:
            return
        p95_ms = window.latencies.judged.p95_ms
        first, last = int(window.start_s / self._bin_s), int(window.end_s / self._bin_s)
        for i in range(max(first, 0), min(last, BINS - 1) + 1):
            inside_s = min(window.end_s, (i + 1) * self._bin_s) - max(window.start_s, i * self._bin_s)
            if inside_s <= 0:
                continue
            self._length_s[i] += inside_s
            self._ok[i] += window.ok * inside_s / window.length_s
            worst = [value for value in (self._p95_ms[i], p95_ms) if value is not None]
            self._p95_ms[i] = max(worst, default=None)

    def rates_per_s(self, columns: int) -> list[float | None]:
        """Mean successes a second in each of so many equal parts of the time; None: nothing was measured there."""
        return [
            sum(self._ok[part]) / length_s if (length_s := sum(self._length_s[part])) else None
            for part in _parts(columns)
        ]

    def p95s_ms(self, columns: int) -> list[float | None]:
        """The highest P95 of a window in each part."""
        return [
            max((value for value in self._p95_ms[part] if value is not None), default=None) for part in _parts(columns)
        ]


class RunSoFar:
    """Takes the windows of one run. last, progress: of the newest window; None and {}: there was none yet."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.last: Window | None = None
        self.progress: Mapping[str, Any] = {}
        self.ok = 0
        self.errors = 0
        self.dry_s = 0.0  # without a success although requests failed, up to now
        self.track = Track(plan.end_s)
        self.trust = TrustWatch(plan)
        self._plans = plan_levels(plan)
        self._levels: dict[int, LevelSoFar] = {}

    @property
    def levels(self) -> Sequence[LevelSoFar]:
        """Those that something was measured in, in order."""
        return [*self._levels.values()]

    def observe(self, window: Window, progress: Mapping[str, Any] | None) -> None:
        """Take the next window. progress: as a controller tells it."""
        self.last, self.progress = window, progress or {}
        self.ok += window.ok
        self.errors += window.failed
        self.dry_s = 0.0 if window.ok or not window.users else self.dry_s + window.length_s
        self.trust.observe(window)
        if not window.users:
            return
        self.track.add(window)
        if self.plan.search is not None and window.level is not None and window.level >= len(self._plans):
            # A search has moved on; a load that no whole window was measured at is missing here.
            load = window.users if self.plan.arrivals is None else window.sends.intended / window.length_s
            self.plan = self.plan.moved(window.index * self.plan.options.window_s, load)
            self._plans = plan_levels(self.plan)
        if window.level is not None:
            latency = self.progress.get("latency")
            verdict = str(latency.get("verdict", "")) if isinstance(latency, Mapping) else ""
            plan = level_named(self._plans, window)
            assert plan is not None
            level = self._levels.setdefault(window.level, LevelSoFar(plan))
            level.add(window, verdict)


def _parts(columns: int) -> list[slice]:
    return [slice(BINS * i // columns, max(BINS * (i + 1) // columns, BINS * i // columns + 1)) for i in range(columns)]
