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

from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import LatencyClock
from loadtest.core.search.capacity import Capacity, Finding, Finished, Move
from loadtest.core.search.known import Known, latency_s
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Reading, reading_of

__all__ = ["Search"]

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


class Search:
    """One search. Shown every window in order, it answers with a move, its end, or nothing (stay).

    window_s: of its windows. lead_s: from a window's end until a move can be carried out. clock: whose latency counts.
    """

    def __init__(
        self,
        settings: SearchSettings,
        window_s: float = 1.0,
        lead_s: float = 0.0,
        clock: LatencyClock = "client",
    ) -> None:
        self._known, self._clock = Known.of(settings), clock
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
        return self.take(reading_of(window, self._known.criteria, self._clock))

    def capacity(self) -> Capacity:
        """What is known now."""
        return self._known.capacity()

    def take(self, reading: Reading) -> Move | Finished | None:
        """`observe` for a window that was read already."""
        known = self._known
        if known.finished is not None:
            return known.finished
        known.requests += reading.n
        known.time_s = reading.end_s
        known.by_model = known.by_model or reading.by_model
        held = self._load if self._is_new(reading) else self._before
        known.spent_s[held] = known.spent_s.get(held, 0.0) + reading.end_s - reading.start_s
        if not self._is_new(reading):
            return None
        self._limited.append(reading.limited)
        self._fresh.append(reading)
        if self._after_rest is None and self._settled(reading):
            level = known.levels.setdefault(self._load, Level(self._load, len(known.levels) + 1))
            level.readings.append(reading)
            level.visits.append(self._visit)
        found = self._finding(reading)
        if found is not None:
            known.finished = Finished(reading.end_s, found, known.evidence())
            return known.finished
        load = self._next_or_rest()
        return None if load is None or load == self._load else self._move(load, reading)

    def _next_or_rest(self) -> float | None:
        """`_next`; by rate, on the way down, first a rest, until the backlog is gone."""
        known = self._known
        if self._after_rest is not None:
            if not self._rested():
                return None
            load, self._after_rest = self._after_rest, None
            return load
        wanted = self._next()
        rest = max(known.settings.start, known.low / 2)
        if wanted is None or known.settings.by == "users" or not rest < wanted < self._load:
            return wanted
        self._after_rest = wanted
        return rest

    def _rested(self) -> bool:
        """The latency is what it was at loads that meet the objective, and no request of the load before is in it."""
        known = self._known
        met = [latency_s(r) for x in known.levels.values() if x.load <= known.low for r in x.readings]
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
        known, settings = self._known, self._known.settings
        marks = self._limited[-10:]
        if len(marks) >= 3 and (all(marks[-3:]) or sum(marks) > 0.5 * len(marks) >= 2.5):
            return "generator limited"
        self._throttled += reading.throttled
        self._failed += max(reading.over, default=0)
        if known.high < math.inf and self._throttled >= 20 and self._throttled > THROTTLED * self._failed:
            return "throttled"
        if known.low >= settings.max_load and known.levels[settings.max_load].n >= QUICK:
            return "above max"
        if known.high <= settings.start and known.time_s >= MOST_START_S:
            return "below start"
        if self._narrow() and known.time_s >= 20 * self._window_s:
            return known.drift() or "found"
        if reading.end_s >= settings.budget_s:
            return known.drift() or "budget"
        return None

    def _next(self) -> float | None:
        """The load to go to; None: stay."""
        known = self._known
        level = known.levels.get(self._load)
        if level is None or level.n < QUICK:
            return None
        low, high = known.low, known.high
        if low == 0 or high == math.inf or not self._close():
            bad = (
                max(level.over(i) / level.n / c.allowed for i, c in enumerate(known.criteria)) if known.criteria else 0
            )
            nats = [level.evidence(i, c) for i, c in enumerate(known.criteria)]
            if bad > 1 and max(nats, default=0) < 3 and len(level.readings) < 8:
                return None
            if bad > 0.5 and bad <= 1 and min(nats, default=0) > -1 and len(level.readings) < 8:
                return None
            if bad > 1:
                known.high = min(high, self._load)
                if known.low >= known.high:
                    known.low = max([x for x in known.levels if x < known.high], default=0.0)
            else:
                known.low = max(low, self._load)
                if known.high <= known.low:
                    known.high = min([x for x in known.levels if x > known.low], default=math.inf)
            if known.high == math.inf:
                return self._rounded(min(2 * self._load, known.settings.max_load))
            if known.low == 0:
                return None if self._load <= known.settings.start else known.settings.start
            if not self._close():
                return self._rounded(math.sqrt(known.low * known.high))
        return self._alternate()

    def _close(self) -> bool:
        known = self._known
        if known.settings.by == "users" and known.high - known.low <= 1:
            return True
        return known.high <= BRACKET * known.low and bool(self._shares_between())

    def _shares_between(self) -> bool:
        """A line can be drawn: the two loads are not all and nothing."""
        known = self._known
        low, high = known.levels[known.low], known.levels[known.high]
        return any(low.over(i) > 0 and high.over(i) < high.n for i in range(len(known.criteria))) or (
            known.high - known.low <= 0.5 * known.settings.within * known.low
        )

    def _alternate(self) -> float | None:
        known = self._known
        if len(self._fresh) < VISIT_WINDOWS + 1:
            return None
        middle = known.estimate() or math.sqrt(known.low * known.high)
        if known.settings.by == "users":
            below = float(min(math.floor(middle), max(1, round(middle * (1 - SPREAD)))))
            above = float(max(below + 1, round(middle * (1 + SPREAD))))
        else:
            # A grid: loads of one visit are met again, and their windows add up.
            grid = max(SPREAD * known.low, 1e-9)
            below, above = grid * math.floor(middle / grid - 0.25), grid * math.ceil(middle / grid + 0.25)
        wanted = below if self._load >= above or self._load > middle else above
        return float(min(max(wanted, known.settings.start), known.settings.max_load))

    def _rounded(self, load: float) -> float:
        known = self._known
        if known.settings.by == "rate":
            return load
        near = float(round(load))
        return min(max(near, known.low + 1), max(known.high - 1, known.low + 1)) if known.low else near

    def _move(self, load: float, reading: Reading) -> Move:
        whole = max(reading.index + 1, math.floor(reading.end_s / self._window_s + 1e-6))
        at_s = self._window_s * whole + self._lead_s
        self._before, self._load, self._since_s = self._load, float(load), at_s
        self._visit += 1
        self._fresh = []
        return Move(at_s, float(load))

    def _narrow(self) -> bool:
        known = self._known
        self._look()
        low, high = known.interval()
        if not low or high is None or high == math.inf:
            return False
        wanted = known.settings.within * (low + high) / 2
        if known.settings.by == "users" and known.time_s >= PATIENCE_S:
            # Two neighbours that cannot be told apart: the share crosses what is allowed very near to one of them.
            wanted = max(wanted, 1.0)
        return high - low <= wanted

    def _look(self) -> None:
        """Draw the lines anew, if there is two fifths more to draw them from."""
        known = self._known
        if known.low == 0 or known.high == math.inf or self._looks >= 10:
            return
        near = known.near()
        n = float(sum(level.n for level in near))
        if n < LOOK_GROWTH * self._looked or len({visit for level in near for visit in level.visits}) < LOOK_VISITS:
            return
        found = known.lines(near)
        if any(each is not None for each in found):
            self._looks, self._looked = self._looks + (self._looked > 0), n
            known.crossings = found
