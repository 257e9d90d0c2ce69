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
the third, as long as the mean latency goes on falling by more than a tenth: a queue that still drains. What is left out
is counted in `requests` and `time_s` all the same.

Sources: Pocock, Biometrika 64 (1977); Fieller, JRSS B 16 (1954); Liang, Zeger, Biometrika 73 (1986); Chow, Robbins,
Ann. Math. Stat. 36 (1965), intervals of fixed width; Shivam et al., USENIX ATC 2008, the peak rate as what is sought;
RFC 9971 (MLRsearch), loads bounded from both sides. No clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished, Margin, More, Move
from loadtest.core.search.fit import Crossing, crossing
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Reading, criteria_of, reading_of

__all__ = ["Search"]

LEVEL_ALPHA = 0.2  # of the error, for the levels' own tests
POCOCK = 2.555 / 1.960  # ten looks
LOOK_GROWTH, LOOK_VISITS = 1.4, 10  # of the evidence between two looks; visits near the capacity before the first
QUICK = 20  # requests of a level that may be left
NEAR = 1.35  # loads so far from the crossing are on its line
BRACKET = 1.15
SPREAD = 0.04  # the visits lie so far below and above the crossing
VISIT_WINDOWS = 4
PATIENCE_S = 45.0  # after which an interval of two neighbouring numbers of users will do
MOST_START_S = 30.0  # the first load may be slow for so long: a cold start
DRIFT_Z, THROTTLED = 4.0, 0.5


class Search:
    """One search. Shown every window in order, it answers with a move, its end, or nothing (stay)."""

    def __init__(self, settings: SearchSettings, window_s: float = 1.0, lead_s: float = 0.0) -> None:
        self._settings, self._window_s, self._lead_s = settings, window_s, lead_s
        self._criteria = criteria_of(settings)
        self._levels: dict[float, Level] = {}
        self._load, self._since_s, self._visit = settings.start, 0.0, 0
        self._before = settings.start
        self._fresh: list[Reading] = []  # of this visit, those left out included
        self._low, self._high = 0.0, math.inf  # seems to meet, seems to break
        self._finished: Finished | None = None
        self._requests, self._time_s = 0, 0.0
        self._spent: dict[float, float] = {}
        self._limited: list[bool] = []
        self._throttled = self._failed = 0
        self._looked, self._looks = 0.0, 0
        self._crossings: tuple[Crossing | None, ...] = (None,) * len(self._criteria)

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
        if self._settled(reading):
            level = self._levels.setdefault(self._load, Level(self._load, len(self._levels) + 1))
            level.readings.append(reading)
            level.visits.append(self._visit)
        found = self._finding(reading)
        if found is not None:
            self._finished = Finished(reading.end_s, found, self._evidence())
            return self._finished
        load = self._next()
        return None if load is None or load == self._load else self._move(load, reading)

    def capacity(self) -> Capacity:
        """What is known now."""
        low, high = self._interval()
        finding: Finding = "searching" if self._finished is None else self._finished.finding
        load = self._estimate() if finding == "found" else None
        if load is not None and high is not None:
            load = min(max(load, low), high)
        met, broken = self._shown()
        at = load if load is not None else low or None
        above = high if high is not None else math.inf
        return Capacity(
            finding=finding,
            by=self._settings.by,
            confidence=self._settings.confidence,
            load=load,
            low=low or None,
            high=high,
            per_min=self._per_min(load),
            per_min_low=self._per_min(low or None),
            per_min_high=self._per_min(high),
            shown_met=met,
            shown_broken=broken,
            knee_users=self._knee(),
            binding=self._binding(),
            margins=tuple(self._margin(i, at) for i in range(len(self._criteria))),
            requests=self._requests,
            time_s=self._time_s,
            above_s=sum(spent_s for load_, spent_s in self._spent.items() if load_ > above),
            more=self._more(low, high),
            evidence={} if self._finished is None else self._finished.evidence,
        )

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
        latency_s = _latency_s(before[-1])
        if reading.start_s < self._since_s + 2 * latency_s:
            return False
        return len(before) > 5 or _latency_s(reading) > 0.9 * latency_s or len(before) >= 3

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

    def _shown(self) -> tuple[float | None, float | None]:
        """(highest load shown to meet every limit, lowest shown to break one) by their own tests."""
        alpha = LEVEL_ALPHA * (1 - self._settings.confidence) / max(len(self._criteria), 1)
        met, broken = None, None
        for load, level in sorted(self._levels.items()):
            answers = [level.answer(i, each, alpha) for i, each in enumerate(self._criteria)]
            if broken is None and -1 in answers:
                broken = load
            if answers and all(answer == 1 for answer in answers) and broken is None:
                met = load
        return met, broken

    def _interval(self) -> tuple[float, float | None]:
        met, broken = self._shown()
        low: float = met or 0.0
        high: float = broken if broken is not None else math.inf
        known = [each for each in self._crossings if each is not None]
        if known:
            low = max(low, min(each.low for each in known))
            high = min(high, min(each.high for each in known))
        if self._settings.by == "users":
            # The capacity is a whole number: below a load that breaks it, and not below one that meets it.
            whole = float(math.floor(high)) if high < math.inf else high
            high = whole - 1 if high == broken else whole
            low = float(math.floor(low))
        high = min(high, self._settings.max_load) if broken is not None else high
        return low, None if high == math.inf or high > 1e12 else float(max(high, low))

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

    def _estimate(self) -> float | None:
        known = [each.load for each in self._crossings if each is not None]
        low, high = self._interval()
        if known:
            load = min(max(min(known), low), high if high is not None else math.inf)
            return float(math.floor(load)) if self._settings.by == "users" and self._finished else load
        return None if not low or high is None else math.floor((low + high) / 2) if self._finished else None

    def _drift(self) -> Finding | None:
        """Mean latency at the same load, early against late, at each load near the capacity."""
        logs, times, loads = [], [], []
        for level in self._levels.values():
            if self._low / NEAR <= level.load <= self._high * NEAR:
                for reading in level.readings:
                    if reading.ok and reading.latency_sum_s > 0:
                        logs.append(math.log(_latency_s(reading)))
                        times.append(reading.start_s)
                        loads.append(level.load)
        if len(logs) < 8:
            return None
        x = np.array([np.ones(len(logs)), np.log(loads), times]).T
        x[:, 1:] -= x[:, 1:].mean(axis=0)
        beta, *_ = np.linalg.lstsq(x, np.array(logs), rcond=None)
        residual = np.array(logs) - x @ beta
        # Neighbouring windows are alike: their number is what their correlation leaves of it.
        alike = min(max(float((residual[1:] * residual[:-1]).sum() / max((residual**2).sum(), 1e-12)), 0.0), 0.9)
        variance = float((residual**2).sum()) / max(len(logs) - 3, 1) * (1 + alike) / (1 - alike)
        error = math.sqrt(max(variance * float(np.linalg.pinv(x.T @ x)[2, 2]), 1e-18))
        span_s = max(times) - min(times)
        moved = float(beta[2]) * span_s / max(float(beta[1]), 0.5)
        if abs(float(beta[2])) < DRIFT_Z * error or abs(moved) < self._settings.within / 2:
            return None
        return "drifting" if moved > -0.5 else "scaling out"

    def _evidence(self) -> dict[str, Any]:
        return {"requests": self._requests, "time_s": round(self._time_s, 3), "loads": len(self._levels)}

    def _per_min(self, load: float | None) -> float | None:
        """Successes a minute at a load, between the neighbours that were held."""
        held = sorted((x, 60 * rate) for x, level in self._levels.items() if (rate := level.rate_per_s) is not None)
        if load is None or not held:
            return None
        return float(np.interp(load, [x for x, _ in held], [rate for _, rate in held]))

    def _knee(self) -> float | None:
        held = sorted((x, rate) for x, level in self._levels.items() if (rate := level.rate_per_s) is not None)
        top = max((rate for _, rate in held), default=0.0)
        first = next((x for x, rate in held if rate >= 0.97 * top), None)
        return first if self._settings.by == "users" and held and first != held[-1][0] else None

    def _binding(self) -> str | None:
        known = [(each.load, i) for i, each in enumerate(self._crossings) if each is not None]
        if known:
            return self._criteria[min(known)[1]].name
        level = self._levels.get(self._high)
        if level is None or not level.n:
            return None
        ratios = [level.over(i) / level.n / each.allowed for i, each in enumerate(self._criteria)]
        return self._criteria[int(np.argmax(ratios))].name

    def _margin(self, i: int, at: float | None) -> Margin:
        found, criterion = self._crossings[i], self._criteria[i]
        level = min(self._levels.values(), key=lambda x: abs(x.load - (at or 0.0)), default=None)
        share = level.over(i) / level.n if level is not None and level.n else None
        margin = Margin(criterion.name, share=share, allowed=criterion.allowed)
        if found is None:
            return margin
        high = None if found.high > 1e12 else found.high
        return replace(margin, load=found.load, low=found.low, high=high)

    def _more(self, low: float, high: float | None) -> More | None:
        """Widths fall with the square root of what is spent near the capacity."""
        if not low or high is None or self._finished is None or self._finished.finding != "budget":
            return None
        times = ((high - low) / (self._settings.within * (low + high) / 2)) ** 2 - 1
        return None if times <= 0 else More(self._settings.within, times * self._time_s, int(times * self._requests))


def _latency_s(reading: Reading) -> float:
    return reading.latency_sum_s / reading.ok if reading.ok else reading.end_s - reading.start_s


def _quantile(share: float) -> float:
    """Of the normal distribution, by bisection of erf."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 + 0.5 * math.erf(middle / math.sqrt(2)) < share else (low, middle)
    return (low + high) / 2
