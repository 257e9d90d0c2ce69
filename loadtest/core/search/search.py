"""The largest load that meets the objective: which load comes next, and when enough is known.

    grow      the load is doubled while less than the allowed share of the requests are over every limit. Nothing has to
              be proven there: what the levels near the capacity show, holds of every lower load, since the share does
              not fall with the load. A level is left after one window if that has 20 requests.
    bracket   between the last load that seemed to meet and the first that seemed to break it, the geometric middle,
              until they are 15 % (or one user) apart.
    narrow    the crossing of a line through the logits of all windows near it (`fit.py`); the next visits are a little
              below and above it in turn, where they say most about it and the line is not asked beyond its points.
    end       when the interval is as narrow as was asked for, or the time is over.

The interval holds the capacity by two ways, which share the error: a fifth is spent by the levels' own tests
(`level.py`, which decide alone where no line can be drawn: fixed service times), the rest by the crossing. It is looked
at when the evidence has grown by two fifths, ten times at most: a boundary of constant height for ten looks (Pocock
1977: 2.56 in place of 1.96 for 95 %) holds for all of them. Several objectives share it again (Bonferroni).

After each move windows are left out until one began two mean latencies, and one whole window, after it, and then, up to
the third, as long as the mean latency goes on falling by more than a tenth: a queue that still drains. By rate a
backlog has no bound, and near the capacity it drains for minutes: on the way down the load first rests at half of what
meets the objective, until the latency is what it was there. What is left out is counted in `requests` and `time_s` all
the same.

Sources: Pocock, Biometrika 64 (1977); Fieller, JRSS B 16 (1954); Liang, Zeger, Biometrika 73 (1986); Chow, Robbins,
Ann. Math. Stat. 36 (1965), intervals of fixed width; Shivam et al., USENIX ATC 2008, the peak rate as what is sought;
RFC 9971 (MLRsearch), loads bounded from both sides. No clock, no I/O.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Finding, Finished, Move
from loadtest.core.search.fit import Crossing, crossing
from loadtest.core.search.known import LEVEL_ALPHA, NEAR, Known, latency_s
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Reading, reading_of

__all__ = ["Search"]

POCOCK = 2.555 / 1.960  # ten looks
LOOK_GROWTH, LOOK_VISITS = 1.4, 10  # of the evidence between two looks; visits near the capacity before the first
QUICK = 20  # requests of a level that may be left
BRACKET = 1.15
SPREAD = 0.04  # the visits lie so far below and above the crossing
VISIT_WINDOWS = 4
PATIENCE_S = 45.0  # after which an interval of two neighbouring numbers of users will do
MOST_START_S = 30.0  # the first load may be slow for so long: a cold start
THROTTLED = 0.5
PATIENT_WINDOWS = 3
MOST_REST, RESTED = 30, 1.3  # windows of a rest; times the latency of loads that meet the objective


class Search(Known):
    """One search. Shown every window in order, it answers with a move, its end, or nothing (stay)."""

    def __init__(self, settings: SearchSettings, window_s: float = 1.0, lead_s: float = 0.0) -> None:
        super().__init__(settings)
        self._window_s, self._lead_s = window_s, lead_s
        self._load, self._since_s, self._visit = settings.start, 0.0, 0
        self._before = settings.start
        self._after_rest: float | None = None  # where to go when the backlog is gone; None: there is none
        self._fresh: list[Reading] = []  # of this visit, those left out included
        self._limited: list[bool] = []
        self._throttled = self._failed = 0
        self._looked, self._looks = 0.0, 0

    def observe(self, window: Window) -> Move | Finished | None:
        """Take the next window, in order; not those after the end, nor of the draining."""
        return self.take(reading_of(window, self._criteria))

    def take(self, reading: Reading) -> Move | Finished | None:
        """`observe` for a window that was read already."""
        if self._finished is not None:
            return self._finished
        self._requests += reading.n
        self._time_s = reading.end_s
        held = self._load if self._is_new(reading) else self._before
        self._spent[held] = self._spent.get(held, 0.0) + reading.end_s - reading.start_s
        if not self._is_new(reading):
            return None
        self._limited.append(reading.limited)
        self._fresh.append(reading)
        if self._after_rest is None and self._settled(reading):
            level = self._levels.setdefault(self._load, Level(self._load, len(self._levels) + 1))
            level.readings.append(reading)
            level.visits.append(self._visit)
        found = self._finding(reading)
        if found is not None:
            self._finished = Finished(reading.end_s, found, self._evidence())
            return self._finished
        load = self._next_or_rest()
        return None if load is None or load == self._load else self._move(load, reading)

    def _next_or_rest(self) -> float | None:
        """`_next`; by rate, on the way down, first a rest, until the backlog is gone."""
        if self._after_rest is not None:
            if not self._rested():
                return None
            load, self._after_rest = self._after_rest, None
            return load
        wanted = self._next()
        rest = max(self._settings.start, self._low / 2)
        if wanted is None or self._settings.by == "users" or not rest < wanted < self._load:
            return wanted
        self._after_rest = wanted
        return rest

    def _rested(self) -> bool:
        """The latency is what it was at loads that meet the objective, and no request of the load before is in it."""
        met = [latency_s(r) for x in self._levels.values() if x.load <= self._low for r in x.readings]
        return len(self._fresh) >= MOST_REST or latency_s(self._fresh[-1]) <= RESTED * min(met, default=math.inf)

    def _is_new(self, reading: Reading) -> bool:
        return reading.index * self._window_s >= self._since_s - 1e-6

    def _settled(self, reading: Reading) -> bool:
        if not reading.usable or not reading.n:
            return False
        if self._visit == 0:
            return True
        before = self._fresh[:-1]
        if not before:
            return False
        before_s = latency_s(before[-1])
        if reading.start_s < self._since_s + 2 * before_s:
            return False
        return latency_s(reading) > 0.9 * before_s or len(before) >= PATIENT_WINDOWS

    def _finding(self, reading: Reading) -> Finding | None:
        settings = self._settings
        marks = self._limited[-10:]
        if len(marks) >= 3 and (all(marks[-3:]) or sum(marks) > 0.5 * len(marks) >= 2.5):
            return "generator limited"
        self._throttled += reading.throttled
        self._failed += max(reading.over, default=0)
        if self._high < math.inf and self._throttled >= 20 and self._throttled > THROTTLED * self._failed:
            return "throttled"
        if self._low >= settings.max_load and self._levels[settings.max_load].n >= QUICK:
            return "above max"
        if self._high <= settings.start and self._time_s >= MOST_START_S:
            return "below start"
        if self._narrow() and self._time_s >= 20 * self._window_s:
            return self._drift() or "found"
        if reading.end_s >= settings.budget_s:
            return self._drift() or "budget"
        return None

    def _next(self) -> float | None:
        """The load to go to; None: stay."""
        level = self._levels.get(self._load)
        if level is None or level.n < QUICK:
            return None
        low, high = self._low, self._high
        if low == 0 or high == math.inf or not self._close():
            bad = (
                max(level.over(i) / level.n / c.allowed for i, c in enumerate(self._criteria)) if self._criteria else 0
            )
            nats = [level.evidence(i, c) for i, c in enumerate(self._criteria)]
            if bad > 1 and max(nats, default=0) < 3 and len(level.readings) < 8:
                return None
            if bad > 0.5 and bad <= 1 and min(nats, default=0) > -1 and len(level.readings) < 8:
                return None
            if bad > 1:
                self._high = min(high, self._load)
                if self._low >= self._high:
                    self._low = max([x for x in self._levels if x < self._high], default=0.0)
            else:
                self._low = max(low, self._load)
                if self._high <= self._low:
                    self._high = min([x for x in self._levels if x > self._low], default=math.inf)
            if self._high == math.inf:
                return self._rounded(min(2 * self._load, self._settings.max_load))
            if self._low == 0:
                return None if self._load <= self._settings.start else self._settings.start
            if not self._close():
                return self._rounded(math.sqrt(self._low * self._high))
        return self._alternate()

    def _close(self) -> bool:
        if self._settings.by == "users" and self._high - self._low <= 1:
            return True
        return self._high <= BRACKET * self._low and bool(self._shares_between())

    def _shares_between(self) -> bool:
        """A line can be drawn: the two loads are not all and nothing."""
        low, high = self._levels[self._low], self._levels[self._high]
        return any(low.over(i) > 0 and high.over(i) < high.n for i in range(len(self._criteria))) or (
            self._high - self._low <= 0.5 * self._settings.within * self._low
        )

    def _alternate(self) -> float | None:
        if len(self._fresh) < VISIT_WINDOWS + 1:
            return None
        middle = self._estimate() or math.sqrt(self._low * self._high)
        if self._settings.by == "users":
            below = float(min(math.floor(middle), max(1, round(middle * (1 - SPREAD)))))
            above = float(max(below + 1, round(middle * (1 + SPREAD))))
        else:
            # A grid: loads of one visit are met again, and their windows add up.
            grid = max(SPREAD * self._low, 1e-9)
            below, above = grid * math.floor(middle / grid - 0.25), grid * math.ceil(middle / grid + 0.25)
        wanted = below if self._load >= above or self._load > middle else above
        return float(min(max(wanted, self._settings.start), self._settings.max_load))

    def _rounded(self, load: float) -> float:
        if self._settings.by == "rate":
            return load
        near = float(round(load))
        return min(max(near, self._low + 1), max(self._high - 1, self._low + 1)) if self._low else near

    def _move(self, load: float, reading: Reading) -> Move:
        whole = max(reading.index + 1, math.floor(reading.end_s / self._window_s + 1e-6))
        at_s = self._window_s * whole + self._lead_s
        self._before, self._load, self._since_s = self._load, float(load), at_s
        self._visit += 1
        self._fresh = []
        return Move(at_s, float(load))

    def _narrow(self) -> bool:
        self._look()
        low, high = self._interval()
        if not low or high is None or high == math.inf:
            return False
        wanted = self._settings.within * (low + high) / 2
        if self._settings.by == "users" and self._time_s >= PATIENCE_S:
            # Two neighbours that cannot be told apart: the share crosses what is allowed very near to one of them.
            wanted = max(wanted, 1.0)
        return high - low <= wanted

    def _look(self) -> None:
        """Draw the lines anew, if there is two fifths more to draw them from."""
        if self._low == 0 or self._high == math.inf or self._looks >= 10:
            return
        near = [x for x in self._levels.values() if self._low / NEAR <= x.load <= self._high * NEAR]
        n = float(sum(level.n for level in near))
        if n < LOOK_GROWTH * self._looked or len({visit for level in near for visit in level.visits}) < LOOK_VISITS:
            return
        found = tuple(self._cross(i, near) for i in range(len(self._criteria)))
        if any(each is not None for each in found):
            self._looks, self._looked = self._looks + (self._looked > 0), n
            self._crossings = found

    def _cross(self, i: int, near: list[Level]) -> Crossing | None:
        rows = [(x.load, r.n, r.over[i], v) for x in near for r, v in zip(x.readings, x.visits, strict=True)]
        if not rows:
            return None
        load, n, over, visit = np.array(rows, np.float64).T
        alpha = (1 - LEVEL_ALPHA) * (1 - self._settings.confidence) / len(self._criteria)
        return crossing(load, n, over, visit, self._criteria[i].allowed, POCOCK * _quantile(1 - alpha / 2))

    def _evidence(self) -> dict[str, Any]:
        return {"requests": self._requests, "time_s": round(self._time_s, 3), "loads": len(self._levels)}


def _quantile(share: float) -> float:
    """Of the normal distribution, by bisection of erf."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 + 0.5 * math.erf(middle / math.sqrt(2)) < share else (low, middle)
    return (low + high) / 2
