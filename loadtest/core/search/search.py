"""The largest load that meets the objective: which load comes next, and when enough is known.

    grow      the load is doubled while it seems to meet every limit. Nothing has to be proven there: what is seen near
              the capacity holds of every lower load, since the share over a limit does not fall with the load. A level
              is left after its first window, if that has 20 requests and a quarter of what is allowed over it, or
              five and none.
    bracket   between the last load that seemed to meet and the first that seemed to break it, the geometric middle,
              until a line can be drawn between them.
    narrow    visits a little below the crossing of that line (`lines.py`, `fit.py`) and a fifth of the time well above
              it: the capacity is known best from loads that meet the objective, and its slope from few that do not. The
              visits' lengths follow the golden ratio: of equal ones, pauses of ten seconds would always meet the same
              load. Neighbouring loads that decide by themselves (fixed service times) are held in turn instead. By
              rate a load a little below by turns with one that saturates the endpoint (`queue_aim.py`, `decay.py`).
    end       when the interval is as narrow as was asked for and the latency at the same load is known not to have
              moved (`change.py`), or the time is over: then the interval is as wide as it is.

Width, not place, ends a search, so the interval of the end is one of fixed width (Chow, Robbins 1965), whose error is
spent once; where no line can be drawn, the levels' own always-valid tests are the interval (`level.py`). Several
objectives share the error (Bonferroni).

After each move windows are left out until one began two mean latencies, and one whole window, after it. By rate a
backlog has no bound, and near the capacity it comes and goes for seconds: a visit's first third is left out, and on the
way down the load first rests at half of what meets the objective, until the latency is what it was there. What is left
out is counted in `requests` and `time_s` all the same.

An endpoint that becomes faster is asked at the first load whether it was cold (that is faster, too: what was seen is
left out, and the search begins anew) or grew (that is as before: there is no number).

Sources: Chow, Robbins, Ann. Math. Stat. 36 (1965), intervals of fixed width; Fieller, JRSS B 16 (1954); Shivam et al.,
USENIX ATC 2008, the peak rate as what is sought; RFC 9971 (MLRsearch), loads bounded from both sides. No clock, no I/O.
"""

from __future__ import annotations

import math
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import LatencyClock
from loadtest.core.search.aim import QUICK, aim, close
from loadtest.core.search.capacity import Capacity, Finding, Finished, Move
from loadtest.core.search.change import step, trend
from loadtest.core.search.known import Known
from loadtest.core.search.level import LEAST_OPEN, Level
from loadtest.core.search.reading import Reading, reading_of
from loadtest.core.search.visit import Visit, mean_s

__all__ = ["Search"]

FEW = 5  # requests of a level that may be left, if all of them are fine
QUIET = 0.25  # of what is allowed, in the first window of a load: the capacity is far
CLEAR = 8.0  # times what is allowed
UNSURE_NATS, UNSURE_WINDOWS, UNSURE = 3.0, 8, 60  # a level that may be on either side is stayed at
OVERLOADED, OVERLOAD = 1.25, 12  # by rate, once: of the load that meets the objective; windows
RATE_SKIP = 0.5  # by rate: windows left out for each that counts
CHANGED_Z, CHANGED = 6.0, 0.2  # standard errors, and of the latency
FIRST, FIRST_WINDOWS = 100, 4  # requests of the first load, or windows: what a warm-up is told by
WARMER, ASKED, MOST_COLDS = 0.65, 6, 2  # of the first load's latency; windows; how often
MOST_START_S = 30.0  # the first load may be slow for so long: a cold start
THROTTLED = 0.5
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
        self._visit, self._before = Visit(0, settings.start, 0.0), settings.start
        self._after_rest: tuple[float, int] | None = None  # where to go when the backlog is gone; None: there is none
        self._narrowing = False
        self._limited: list[bool] = []
        self._throttled = self._failed = 0
        self._first_s: float | None = None  # latency at the first load, at first
        self._asking, self._colds, self._left_out_s, self._loads, self._tested = False, 0, 0.0, 0, 0

    def observe(self, window: Window) -> Move | Finished | None:
        """Take the next window, in order; not those after the end, nor of the draining."""
        return self.take(reading_of(window, self._known.criteria, self._clock))

    def capacity(self) -> Capacity:
        """What is known now."""
        return self._known.capacity()

    def take(self, reading: Reading) -> Move | Finished | None:
        """`observe` for a window that was read already."""
        if self._known.finished is not None:
            return self._known.finished
        self._known.requests += reading.n
        self._known.time_s = reading.end_s
        self._known.by_model = self._known.by_model or reading.by_model
        new = reading.index * self._window_s >= self._visit.since_s - 1e-6
        held = self._visit.load if new else self._before
        self._known.spent_s[held] = self._known.spent_s.get(held, 0.0) + reading.end_s - reading.start_s
        if not new:
            return None
        self._limited.append(reading.limited)
        if self._visit.take(reading) and self._after_rest is None and not self._asking:
            if self._visit.number == 0:
                self._first_s = mean_s(self._visit.seen)
            level = self._known.levels.get(self._visit.load)
            if level is None:
                self._loads += 1
                level = Level(self._visit.load, self._loads, self._known.settings.by == "rate")
                self._known.levels[level.load] = level
            level.readings.append(reading)
            level.visits.append(self._visit.number)
            if level.open and len(level.readings) == LEAST_OPEN:
                self._tested += 1
                level.number = self._tested
        found = self._finding(reading)
        if found is not None:
            self._known.finished = Finished(reading.end_s, found, self._evidence())
            return self._known.finished
        wanted = self._next_or_rest()
        return None if wanted is None else self._move(*wanted, reading)

    def _next_or_rest(self) -> tuple[float, int] | None:
        """`_next`; by rate, on the way down, first a rest, until the backlog is gone."""
        if self._after_rest is not None:
            if not self._rested():
                return None
            wanted, self._after_rest = self._after_rest, None
            return wanted
        following = self._next()
        if following is None or self._known.settings.by == "users" or not following[0] < self._visit.load:
            return following
        self._after_rest = following
        return min(max(self._known.settings.start, self._known.low / 2), following[0]), 1

    def _rested(self) -> bool:
        """The latency is what it was at loads that meet the objective, and no request of the load before is in it."""
        met = [r for x in self._known.levels.values() if x.load <= self._known.low for r in x.readings]
        fresh = self._visit.seen
        return len(fresh) >= MOST_REST or mean_s(fresh[-1:]) <= RESTED * (mean_s(met) if met else math.inf)

    def _finding(self, reading: Reading) -> Finding | None:
        settings = self._known.settings
        marks = self._limited[-10:]
        if len(marks) >= 3 and (all(marks[-3:]) or sum(marks) > 0.5 * len(marks) >= 2.5):
            return "generator limited"
        self._throttled += reading.throttled
        self._failed += max(reading.over, default=0)
        if self._known.high < math.inf and self._throttled >= 20 and self._throttled > THROTTLED * self._failed:
            return "throttled"
        if self._known.low >= settings.max_load and self._known.level(settings.max_load).n >= QUICK:
            return "above max"
        if self._known.high <= settings.start and self._known.time_s >= MOST_START_S:
            return "below start"
        if reading.end_s >= settings.budget_s:
            return self._known.drift() or "budget"
        if self._narrowing and self._visit.done:
            if self._asking:
                return self._answered()
            changed = self._changed()
            if changed or self._asking:
                return changed
            if self._known.narrow():
                return self._known.drift() or ("found" if self._known.steady() else None)
        return None

    def _changed(self) -> Finding | None:
        """Slower: it has no capacity that stays. Faster: the first load is asked, whether it was cold or grew."""
        if self._known.settings.by == "rate":
            return None
        near = self._known.near()
        found = max((x for x in (step(near), trend(near)) if x), key=lambda x: abs(x.sigmas), default=None)
        if found is None or abs(found.sigmas) < CHANGED_Z or abs(found.moved) < CHANGED:
            return None
        if found.sigmas > 0 or self._first_s is None or self._colds == MOST_COLDS:
            return "drifting"
        self._asking = True
        return None

    def _answered(self) -> Finding | None:
        """A warm-up makes the first load faster, too: what was seen in it is left out, and the search begins anew."""
        self._asking = False
        if mean_s(self._visit.seen[1:]) > WARMER * (self._first_s or 0.0):
            return "scaling out"
        self._colds += 1
        self._left_out_s = self._visit.since_s
        self._known.levels, self._known.looked, self._known.crossings = {}, 0.0, (None,) * len(self._known.criteria)
        self._known.low, self._known.high, self._narrowing = 0.0, math.inf, False
        return None

    def _next(self) -> tuple[float, int] | None:
        """The load to go to, and for how many windows; None: stay."""
        load, settings = self._visit.load, self._known.settings
        if self._asking:
            return None if load == settings.start else (settings.start, ASKED)
        if self._narrowing:
            return self._near() if self._visit.done and self._known.level(load).n >= QUICK else None
        if (
            not self._visit.number
            and sum(r.n for r in self._visit.seen) < FIRST
            and len(self._visit.seen) < FIRST_WINDOWS
        ):
            return None
        if self._known.high == math.inf and load < settings.max_load and self._quiet():
            self._known.low = max(self._known.low, load)
            last = self._visit.seen[-1]
            self._known.passed[load] = last.ok / (last.end_s - last.start_s)
        else:
            side = self._side(self._known.level(load))
            if side is None:
                return None
            if side < 0:
                self._known.high = min(self._known.high, load)
                if self._known.low >= self._known.high:
                    self._known.low = max([x for x in self._known.levels if x < self._known.high], default=0.0)
            else:
                self._known.low = max(self._known.low, load)
                if self._known.high <= self._known.low:
                    self._known.high = min([x for x in self._known.levels if x > self._known.low], default=math.inf)
        if self._known.high == math.inf:
            return None if load >= settings.max_load else (self._rounded(min(2 * load, settings.max_load)), 1)
        if self._known.low == 0:
            return None if load <= settings.start else (settings.start, 1)
        if not self._known.level(self._known.low).n:
            return self._known.low, 1
        if not close(self._known):
            return self._rounded(math.sqrt(self._known.low * self._known.high)), 1
        self._narrowing = True
        if settings.by == "rate":
            self._known.first_visit = self._visit.number + 1
            # No load stays that is above the throughput of one that is too high.
            return min(max(self._known.high, OVERLOADED * self._known.low), settings.max_load), OVERLOAD
        return self._near()

    def _quiet(self) -> bool:
        """It is far from the capacity, whatever the window has in it of the load before."""
        seen, last = self._visit.seen, self._visit.seen[-1]
        per_s = last.ok / (last.end_s - last.start_s)
        if any(c.per_s is not None and per_s > c.per_s / 4 for c in self._known.criteria):
            return False
        if last.n < QUICK:
            return sum(x.n for x in seen) >= FEW and not any(any(x.over) for x in seen)
        return all(o <= QUIET * c.allowed * last.n for o, c in zip(last.over, self._known.criteria, strict=True))

    def _side(self, level: Level) -> int | None:
        """1: seems to meet the objective, -1: to break it; None: stay."""
        if level.n < QUICK:
            return None
        bad = max((level.excess(i, c) for i, c in enumerate(self._known.criteria)), default=0.0)
        nats = [level.evidence(i, c) for i, c in enumerate(self._known.criteria)]
        if 1 < bad < CLEAR and len(level.readings) < 2:
            return None  # it may have been a pause
        unsure = max(nats, default=0.0) < UNSURE_NATS if bad > 1 else bad > 0.5 and min(nats, default=0.0) > -1
        if unsure and (len(level.readings) < UNSURE_WINDOWS or level.n < UNSURE):
            return None
        return -1 if bad > 1 else 1

    def _near(self) -> tuple[float, int]:
        """The next visit near the crossing; up again, if nothing seems to break an objective any more."""
        found = aim(self._known, self._visit.load, self._visit.number)
        if found is None:
            self._narrowing = False
            return self._rounded(min(2 * self._known.low, self._known.settings.max_load)), 1
        return found

    def _rounded(self, load: float) -> float:
        if self._known.settings.by == "rate":
            return load
        near = float(round(load))
        return (
            min(max(near, self._known.low + 1), max(self._known.high - 1, self._known.low + 1))
            if self._known.low
            else near
        )

    def _move(self, load: float, wanted: int, reading: Reading) -> Move | None:
        if load == self._visit.load:
            self._visit.wanted = self._visit.used + wanted
            return None
        whole = max(reading.index + 1, math.floor(reading.end_s / self._window_s + 1e-6))
        at_s = self._window_s * whole + self._lead_s
        self._before = self._visit.load
        skipped = round(RATE_SKIP * wanted) if self._known.settings.by == "rate" and self._narrowing else 1
        self._visit = Visit(
            self._visit.number + 1, float(load), at_s, wanted, max(skipped, 1), self._known.settings.by == "rate"
        )
        return Move(at_s, float(load))

    def _evidence(self) -> dict[str, Any]:
        cold = {"left_out_s": self._left_out_s} if self._colds else {}
        return {"requests": self._known.requests, "time_s": round(self._known.time_s, 3), "loads": self._loads, **cold}
