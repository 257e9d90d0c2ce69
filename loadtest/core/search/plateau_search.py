"""The load from which on more users bring no more throughput: the search of a Default job, which names no limit.

    grow    users are doubled while that is worth it (`throughput.py`)
    refine  beside the best load, only where it could be better by more than a fifth of `within`
    hold    the best load is held anew: the rate and the latency that are reported were not used to choose it; if
            another one could be better after all, the search goes on

A load is left when its gain or loss against the best is twice as large as its standard error, or after `level_s`; the
last one when the interval of its rate is as narrow as `within`, or after two of them. Where more than a share of the
requests fail, the best load lies below. The interval of the load is bounded by loads that are shown to be worse; that
of the rate is Student's, of batch means. After a move windows are left out until one began two mean latencies after it,
the first that has a success included: what is cold has answered once by then.
Source: Kiefer (1953), search for a maximum. No clock, no I/O.
"""

from __future__ import annotations

import math
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished, Margin, Move
from loadtest.core.search.reading import Reading, criteria_of, reading_of
from loadtest.core.search.throughput import Held, Throughput

__all__ = ["GROWS", "PlateauSearch"]

GROWS = "throughput grows"
HOPE = 0.2  # of `within`: by so much a load that is not held must be able to exceed the best
HOLD_WINDOWS, HOLD_LEVELS = 8, 2  # the last stay is for so many windows at least, so many times `level_s` at most
PATIENCE, FEW = 3, 10  # times level_s, for a load without ten requests
MOST_LOADS = 16
LIMITED = 3  # windows in a row that the generator limited
MOVED, MOVED_SIGMAS = 0.1, 4.0  # of the rate at the same load, early and late: the endpoint is another


class PlateauSearch:
    """One search, with the face of `Search`: shown every window in order, it answers as that does."""

    def __init__(self, settings: SearchSettings, window_s: float = 1.0, lead_s: float = 0.0) -> None:
        self._settings, self._window_s, self._lead_s = settings, window_s, lead_s
        self._criteria = criteria_of(settings)
        self._known = Throughput(settings.max_error_ratio, settings.confidence)
        self._users = self._before = round(settings.start)
        self._since_s, self._visit_s = 0.0, 0.0
        self._answered: Reading | None = None  # the last window of this visit with a success
        self._limited = 0
        self._why: Finding = "found"
        self._hold: Held | None = None
        self._hold_from_s = 0.0
        self._requests, self._time_s = 0, 0.0
        self._spent_s: dict[int, float] = {}
        self._finished: Finished | None = None

    def observe(self, window: Window) -> Move | Finished | None:
        """Take the next window, in order; not those after the end, nor of the draining."""
        return self.take(reading_of(window, self._criteria))

    def take(self, reading: Reading) -> Move | Finished | None:
        """`observe` for a window that was read already."""
        if self._finished is not None:
            return self._finished
        self._requests += reading.n
        self._time_s, length_s = reading.end_s, reading.end_s - reading.start_s
        new = reading.index * self._window_s >= self._since_s - 1e-6
        held = self._users if new else self._before
        self._spent_s[held] = self._spent_s.get(held, 0.0) + length_s
        if new:
            self._visit_s += length_s
            self._limited = self._limited + 1 if reading.limited else 0
            self._add(reading)
        found = self._ended(reading)
        if found is not None:
            self._finished = Finished(reading.end_s, found, self._evidence())
            return self._finished
        users = self._next() if new else None
        return None if users is None or users == self._users else self._move(users, reading)

    def capacity(self) -> Capacity:
        """What is known now; without `found` the rate is that of the best load so far."""
        known, best = self._known, self._known.best()
        finding: Finding = "searching" if self._finished is None else self._finished.finding
        held = None if best is None else self._hold or known.levels[best]
        rate, margin = (None, None) if held is None else held.interval(self._settings.confidence)
        low, high = (None, None) if best is None else known.bounds(best)
        load = float(best) if best is not None and finding == "found" else None
        above = [] if best is None else [users for users in known.worse(best) if users > best]
        return Capacity(
            finding=finding,
            confidence=self._settings.confidence,
            load=load,
            low=low,
            high=high,
            per_min=None if rate is None else 60 * rate,
            per_min_low=None if rate is None or margin is None else 60 * max(rate - margin, 0.0),
            per_min_high=None if rate is None or margin is None else 60 * (rate + margin),
            shown_met=None if best is None else float(best),
            shown_broken=float(min(above)) if above else self._fails_at(),
            knee_users=load,
            binding=self._binding(above) if load is not None else None,
            margins=self._margins(best, load, low, high),
            requests=self._requests,
            time_s=self._time_s,
            above_s=sum(spent_s for users, spent_s in self._spent_s.items() if best is not None and users > best),
            evidence={} if self._finished is None else self._finished.evidence,
        )

    def _add(self, reading: Reading) -> None:
        before = self._answered
        if reading.ok:
            self._answered = reading
        if not reading.usable or before is None or not before.ok:
            return
        # Two latencies of a slow endpoint may be longer than a load is held.
        wait_s = min(2 * before.latency_sum_s / before.ok, self._settings.level_s / 2)
        if self._since_s and reading.start_s < self._since_s + wait_s:
            return
        self._known.level(self._users).add(reading)
        if self._hold is not None:
            self._hold.add(reading)

    def _ended(self, reading: Reading) -> Finding | None:
        if self._fails_at() == round(self._settings.start):
            return "below start"
        if self._limited >= LIMITED and self._hold is None:
            self._known.ceiling, self._why = min(self._known.ceiling, self._users), "generator limited"
            if self._known.best() is None:
                return "generator limited"
        if self._hold is not None and self._narrow(self._hold):
            moved = self._moved()
            if moved or self._better() is None:
                return moved or self._answer()
            self._hold = None  # it was luck that made it the best
        return "budget" if reading.end_s >= self._settings.budget_s else None

    def _answer(self) -> Finding:
        top = self._why == "found" and self._known.best() == round(self._settings.max_load)
        return "above max" if top else self._why

    def _narrow(self, held: Held) -> bool:
        if len(held.ok) < HOLD_WINDOWS:
            return False
        rate, margin = held.interval(self._settings.confidence)
        narrow = rate is not None and margin is not None and margin <= self._settings.within / 2 * rate
        return narrow or sum(held.length_s) >= HOLD_LEVELS * self._settings.level_s

    def _next(self) -> int | None:
        """The load to go to; None: stay."""
        if self._hold is not None or not self._decided():
            return None
        known, users = self._known, self._better()
        if users is None:
            users = known.best()
            assert users is not None
            self._hold, self._hold_from_s = Held(users), self._time_s
        return users

    def _better(self) -> int | None:
        """A load that could be better than the best so far; None: none, or they have been enough."""
        known, within = self._known, self._settings.within
        if len(known.levels) >= MOST_LOADS:
            return None
        higher = known.higher(round(self._settings.max_load)) or next(known.between(HOPE * within), None)
        return higher or known.doubtful(within, self._settings.level_s)

    def _decided(self) -> bool:
        """Enough is known of this load to leave it."""
        known, users, most_s = self._known, self._users, self._settings.level_s
        if known.fails(users):
            known.ceiling = min(known.ceiling, users)
        if users >= known.ceiling:
            return known.best() is not None
        level = known.levels.get(users)
        if known.best() is None or level is None:
            return False
        if self._visit_s >= most_s and (level.n >= FEW or self._visit_s >= PATIENCE * most_s):
            return True
        return known.decided(users)

    def _fails_at(self) -> float | None:
        return min((float(users) for users in self._known.levels if self._known.fails(users)), default=None)

    def _binding(self, above: list[int]) -> str:
        failing = self._fails_at()
        return self._criteria[-1].name if failing is not None and failing == min(above) else GROWS

    def _margins(
        self, best: int | None, load: float | None, low: float | None, high: float | None
    ) -> tuple[Margin, ...]:
        grows = Margin(GROWS, load, low if load else None, high if load else None)
        level, most = self._known.levels.get(best or 0), self._settings.max_error_ratio
        share = level.failed / level.n if level is not None and level.n else None
        return (grows,) if most is None else (grows, Margin(self._criteria[-1].name, share=share, allowed=most))

    def _moved(self) -> Finding | None:
        """The load that was held to the end had another rate when it was held before."""
        assert self._hold is not None
        whole, late = self._known.levels[self._hold.users], len(self._hold.ok)
        early = Held(self._hold.users, whole.ok[:-late], whole.length_s[:-late])
        if len(early.ok) < 2:
            return None
        (before, error, _), (now, error_now, _) = early.rate, self._hold.rate
        if abs(now - before) <= max(MOVED * before, MOVED_SIGMAS * math.hypot(error, error_now)):
            return None
        return "scaling out" if now > 1.5 * before else "drifting"

    def _evidence(self) -> dict[str, Any]:
        spent = {"requests": self._requests, "time_s": round(self._time_s, 3), "loads": len(self._known.levels)}
        return spent if self._hold is None else {**spent, "held_from_s": self._hold_from_s}

    def _move(self, users: int, reading: Reading) -> Move:
        whole = max(reading.index + 1, math.floor(reading.end_s / self._window_s + 1e-6))
        self._before, self._users, self._since_s = self._users, users, self._window_s * whole + self._lead_s
        self._visit_s, self._answered, self._limited = 0.0, None, 0
        return Move(self._since_s, float(users))
