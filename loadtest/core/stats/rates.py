"""Throughput of each level while users rise, with what it is uncertain by: what the plateau is looked for in.

The standard error within a level is that of batch means: windows are joined to at most 20 batches, whose means are
nearly independent of each other even where neighbouring windows are not. No clock, no I/O.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.marks import client_limited, persists, times_longer
from loadtest.core.measure.window import Window
from loadtest.core.stats.student import student
from loadtest.core.traffic.curve import Level
from loadtest.core.traffic.plan import Plan

__all__ = ["LevelRate", "RateHistory", "level_rates", "level_spread", "mean_rate", "rate_interval"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Z_975 = 1.959963984540054
BATCHES = 20
ENOUGH_REQUESTS = 100  # a level with fewer is joined with the next: its throughput is too uncertain
ENOUGH_WINDOWS = 3
REACHES = (1, 2, 3)  # levels away, of the neighbours that a level is held against
RECENT = 120  # windows whose marks are kept


@dataclass(frozen=True, slots=True)
class LevelRate:
    """One level, or a few thin ones joined. users: mean number of active ones.

    per_s: successes per second; error_per_s: its standard error, from `freedom` + 1 batches.
    latency_s: mean of successes, 0 without one. error_ratio: failures / all. limited: the generator set the pace.
    """

    users: float
    per_s: float
    error_per_s: float
    freedom: int
    latency_s: float
    error_ratio: float
    ok: int
    limited: bool = False


def mean_rate(ok: Sequence[int] | Ints, length_s: Sequence[float] | Floats) -> tuple[float, float, int]:
    """(per second, its standard error, degrees of freedom) of windows in a row, two at least, by batch means."""
    counted, lengths_s = np.asarray(ok), np.asarray(length_s)
    total_s = float(lengths_s.sum())
    per_s = int(counted.sum()) / total_s
    starts = np.arange(min(BATCHES, len(counted)))
    starts = starts * len(counted) // len(starts)
    counts, lengths = np.add.reduceat(counted, starts), np.add.reduceat(lengths_s, starts)
    spread = float(((counts - per_s * lengths) ** 2).sum()) * len(starts) / (len(starts) - 1)
    # Counting cannot be finer than one request, however regular they come.
    return per_s, max(spread**0.5, 1.0) / total_s, len(starts) - 1


def level_spread(rates: Sequence[LevelRate]) -> tuple[float, int]:
    """(relative standard deviation of the levels' throughput beyond their standard errors, its degrees of freedom).

    An endpoint whose speed drifts slowly gives every level a throughput of its own, which no windows of one level show.
    The rise up to the highest level does: throughput over users is concave there, so a level *below* the line through
    its neighbours is off by noise, and half of the noise is below. What drifts with a memory near a level's length
    moves neighbours together, so those two and three levels away are asked, too, and the largest answer is taken.
    (0.0, 0) if fewer than two levels can tell.
    """
    top = max(range(len(rates)), key=lambda i: rates[i].per_s, default=0)
    risen = rates[: top + 1]
    known = (found for reach in REACHES if (found := _spread(risen, reach)) is not None)
    return max(known, default=(0.0, 0))


def _spread(rates: Sequence[LevelRate], reach: int) -> tuple[float, int] | None:
    """By the neighbours `reach` levels away; None: fewer than two levels can tell."""
    excess = 0.0
    count = 0
    for before, rate, after in zip(rates, rates[reach:], rates[2 * reach :], strict=False):
        if not before.users < rate.users < after.users or not rate.per_s:
            continue
        share = (after.users - rate.users) / (after.users - before.users)
        off = rate.per_s - share * before.per_s - (1 - share) * after.per_s
        parts = 1 + share**2 + (1 - share) ** 2
        known = rate.error_per_s**2 + (share * before.error_per_s) ** 2 + ((1 - share) * after.error_per_s) ** 2
        count += 1
        excess += (2 * off * off * (off < 0) - known) / parts / rate.per_s**2
    return (max(excess / count, 0.0) ** 0.5, count) if count >= 2 else None


@dataclass(slots=True)
class _Stretch:
    """What is counted of the levels under way, window by window."""

    last: Level
    window_s: float
    end_s: float = 0.0
    ok: array[int] = field(default_factory=lambda: array("q"))
    failed: int = 0
    length_s: array[float] = field(default_factory=lambda: array("d"))
    user_s: array[float] = field(default_factory=lambda: array("d"))
    latency_s: array[float] = field(default_factory=lambda: array("d"))
    marks: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))
    completed: int = 0

    def add(self, window: Window) -> None:
        self.ok.append(window.ok)
        self.failed += window.failed
        self.length_s.append(window.length_s)
        self.user_s.append(window.load.active * window.length_s)
        self.latency_s.append(window.counts.latency_sum_s)
        self.marks.extend([bool(client_limited(window))] * times_longer(window, self.window_s))
        self.completed += window.completed
        self.end_s = window.end_s

    def rate(self) -> LevelRate | None:
        """None: too little to say."""
        # The first window still feels the level before: users that have just started have completed nothing yet.
        skip = 1 if len(self.ok) > ENOUGH_WINDOWS else 0
        ok, length_s = np.array(self.ok[skip:]), np.array(self.length_s[skip:])
        total, total_s = int(ok.sum()), float(length_s.sum())
        if len(ok) < ENOUGH_WINDOWS or self.completed < ENOUGH_REQUESTS or not total_s:
            return None
        per_s, error, freedom = mean_rate(ok, length_s)
        return LevelRate(
            users=float(np.sum(self.user_s[skip:])) / total_s,
            per_s=per_s,
            error_per_s=error,
            freedom=freedom,
            latency_s=float(np.sum(self.latency_s[skip:])) / total if total else 0.0,
            error_ratio=self.failed / self.completed,
            ok=total,
            limited=persists(self.marks),
        )


class RateHistory:
    """The levels of one run since users last fell, in order."""

    def __init__(self, plan: Plan) -> None:
        self._levels = plan_levels(plan)
        self._window_s = plan.options.window_s
        self._closed: list[LevelRate] = []
        self._stretch: _Stretch | None = None

    def observe(self, window: Window) -> None:
        """Take the next window; those that straddle two levels, or drain, count nowhere."""
        if window.level is None or not window.users:
            return
        level = self._levels[window.level]
        stretch = self._stretch
        if stretch is None or level.index != stretch.last.index:
            stretch = self._enter(level, stretch)
        stretch.add(window)

    @property
    def closed(self) -> int:
        """How many levels are over."""
        return len(self._closed)

    def rates(self) -> Sequence[LevelRate]:
        """Every level that says enough, the one under way included once half of it is over."""
        stretch = self._stretch
        if stretch is None:
            return ()
        half_s = (stretch.last.start_s + stretch.last.end_s) / 2
        rate = stretch.rate() if stretch.end_s >= half_s - 1e-6 else None
        return (*self._closed, rate) if rate is not None else self._closed

    def _enter(self, level: Level, before: _Stretch | None) -> _Stretch:
        if before is not None:
            if level.users <= before.last.users:
                self._closed = []
            elif (rate := before.rate()) is not None:
                self._closed.append(rate)
            else:
                before.last = level
                return before
        self._stretch = _Stretch(level, self._window_s)
        return self._stretch


def rate_interval(windows: Sequence[Window]) -> tuple[float, float] | None:
    """95 % interval of the mean throughput of a level's windows, successes a second; None: fewer than two windows."""
    if len(windows) < 2:
        return None
    per_s, error_per_s, freedom = mean_rate([w.ok for w in windows], [w.length_s for w in windows])
    margin = student(Z_975, freedom) * error_per_s
    return max(0.0, per_s - margin), per_s + margin


def level_rates(plan: Plan, windows: Iterable[Window]) -> tuple[LevelRate, ...]:
    """Those of a finished run's last rise of users, in order."""
    history = RateHistory(plan)
    for window in windows:
        history.observe(window)
    return tuple(history.rates())
