"""What a search knows so far: levels, crossings, and what follows from them. No clock, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished, Margin, More
from loadtest.core.search.change import trend
from loadtest.core.search.fit import Crossing
from loadtest.core.search.level import Level
from loadtest.core.search.lines import line
from loadtest.core.search.rates import knee, per_min, rates_of
from loadtest.core.search.reading import Criterion, criteria_of
from loadtest.core.search.saturation import Saturation, most_per_s, saturation

__all__ = ["NEAR", "Known"]

LEVEL_ALPHA = 0.2  # of the error, for the levels' own tests
NEAR = 1.35  # loads so far from the crossing are on its line
DRIFT_Z = {"users": 3.4, "rate": 4.5}  # standard errors; a backlog that comes and goes is no drift
SERVED_Z = 4.0  # of throughput in an overload
STEADY, PATIENCE = 0.05, 3.0  # error of the latency's change; times as long as an interval took
LOOK_GROWTH = 1.05  # of the evidence between two looks
HELD, LEAST_HELD = 0.05, 5  # so near to the answer a load was held, for so many windows
FAR = 1.035  # by rate, without saturation
HIDDEN = 0.25  # of what is allowed is over the limit without a queue
FINE = 0.6
SOON = 12  # windows of a load that decide


@dataclass(slots=True)
class Known:
    """Of one search, so far. criteria: what is held against its limit, in the order of `crossings`.

    levels: by load. low, high: the highest load that seems to meet everything, the lowest that seems to break it; 0,
    infinite: none. crossings: where the lines drawn last cross; None: there is none. finished: None: it goes on.
    requests, time_s: spent; spent_s: of the time, at each load. by_model: limits were compared on the model's clock.
    first_visit: the first whose windows are on the lines. looked: requests near the capacity when they were drawn.
    narrow_s: when the interval was first as narrow as was asked for; 0: it was not. passed: successes a second of loads
    that were left after their first window.
    """

    settings: SearchSettings
    criteria: tuple[Criterion, ...]
    levels: dict[float, Level] = field(default_factory=dict)
    low: float = 0.0
    high: float = math.inf
    crossings: tuple[Crossing | None, ...] = ()
    requests: int = 0
    time_s: float = 0.0
    spent_s: dict[float, float] = field(default_factory=dict)
    finished: Finished | None = None
    by_model: bool = False
    first_visit: int = 0
    looked: float = 0.0
    narrow_s: float = 0.0
    passed: dict[float, float] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: SearchSettings) -> Known:
        """Nothing yet."""
        criteria = criteria_of(settings)
        return cls(settings, criteria, crossings=(None,) * len(criteria))

    def capacity(self) -> Capacity:
        """What is known now."""
        low, high = self.interval()
        finding: Finding = "searching" if self.finished is None else self.finished.finding
        load = self.estimate() if finding in ("found", "budget") and low and high is not None else None
        if load is not None and high is not None:
            load = min(max(load, low), high)
        met, broken = self.shown()
        rates = rates_of(self.levels.values(), self.passed)
        at = load if load is not None else low or None
        above = high if high is not None else math.inf
        return Capacity(
            finding=finding,
            by=self.settings.by,
            confidence=self.settings.confidence,
            load=load,
            low=low or None,
            high=high,
            per_min=per_min(load, rates),
            per_min_low=per_min(low or None, rates),
            per_min_high=per_min(high, rates),
            shown_met=met,
            shown_broken=broken,
            knee_users=knee(rates) if self.settings.by == "users" else None,
            binding=self._binding(),
            margins=tuple(self._margin(i, at) for i in range(len(self.criteria))),
            requests=self.requests,
            time_s=self.time_s,
            above_s=sum(spent_s for load_, spent_s in self.spent_s.items() if load_ > above),
            more=self.more(low, high) if finding == "budget" else None,
            clock="model" if self.by_model else "client",
            evidence={} if self.finished is None else self.finished.evidence,
        )

    def answers(self) -> dict[float, int]:
        """By load: 1: it is shown to meet every limit, -1: to break one, 0: neither, by its own tests."""
        alpha, found = self._alpha(), {}
        for load, level in sorted(self.levels.items()):
            said = [level.answer(i, each, alpha) for i, each in enumerate(self.criteria)]
            found[load] = -1 if -1 in said else int(bool(said) and all(each == 1 for each in said))
        return found

    def shown(self) -> tuple[float | None, float | None]:
        """(highest load below that which is shown to meet every limit, lowest shown to break one)."""
        answers = self.answers()
        broken = next((load for load, answer in answers.items() if answer < 0), None)
        met = [load for load, answer in answers.items() if answer > 0 and (broken is None or load < broken)]
        return max(met, default=None), broken

    def interval(self) -> tuple[float, float | None]:
        """(0: not known below, None: not known above). Of the lines, where they have both ends; else of the levels."""
        met, broken = self.shown()
        by_users = self.settings.by == "users"
        low, high = met or 0.0, broken if broken is not None else math.inf
        known = [each for each in self.crossings if each is not None and each.high < 1e12]
        if known and not self.steep():
            low, high = min(each.low for each in known), min(each.high for each in known)
        elif by_users and high < math.inf:
            high -= 1  # whole users: below a load that breaks it
        if by_users:
            low, high = float(math.floor(low)), float(math.floor(high)) if high < math.inf else high
        else:
            high = min(high, most_per_s(self.levels.values(), self.top))
            low = min(low, high)
        high = min(high, self.settings.max_load) if high < math.inf else high
        return low, None if high == math.inf else float(max(high, low))

    def steep(self) -> bool:
        """The neighbouring loads decide by themselves, and soon: a line has nothing to say of them."""
        gap = self.high - self.low
        if not self.low or (
            gap > 0.5 * self.settings.within * self.low and not (self.settings.by == "users" and gap <= 1)
        ):
            return False
        return self.decides()

    def decides(self, soon: float = SOON) -> bool:
        """Both loads of the bracket would soon be answered by themselves."""
        for load, side in ((self.low, -1), (self.high, 1)):
            level = self.level(load)
            nats = max((level.evidence(i, c) for i, c in enumerate(self.criteria)), default=0.0)
            if side * nats * soon < level.needed(self._alpha()) * len(level.readings):
                return False
        return True

    def estimate(self) -> float | None:
        known = [each.load for each in self.crossings if each is not None]
        low, high = self.interval()
        if known:
            load = min(max(min(known), low), high if high is not None else math.inf)
            return float(math.floor(load)) if self.settings.by == "users" and self.finished else load
        return None if not low or high is None else math.floor((low + high) / 2) if self.finished else None

    @property
    def top(self) -> Saturation | None:
        """By rate: from which load on a backlog has no end; None: it is not known, or not what limits."""
        top = saturation(self.levels.values()) if self.settings.by == "rate" else None
        limits = [(i, each) for i, each in enumerate(self.criteria) if each.limit_ms]
        return None if top and any(top.floor(i) > HIDDEN * each.allowed for i, each in limits) else top

    def crosses(self) -> float | None:
        """The lines' own estimate, of which users are not yet whole."""
        return min((each.load for each in self.crossings if each is not None), default=None)

    def near(self) -> list[Level]:
        return [x for x in self.levels.values() if self.low / NEAR <= x.load <= self.high * NEAR]

    def _settled_levels(self) -> list[Level]:
        """Whose latency would stay: by rate, not of a backlog that grows."""
        return [x for x in self.near() if self.settings.by == "users" or x.load <= self.low]

    def drift(self) -> Finding | None:
        """It became slower or faster by more than half of what the interval may be wide."""
        served = None if self.top is None else self.top.change
        if served and abs(served.sigmas) > SERVED_Z and abs(served.moved) > self.settings.within:
            return "drifting" if served.moved < 0 else "scaling out"
        found = trend(self._settled_levels())
        if (
            found is None
            or abs(found.sigmas) < DRIFT_Z[self.settings.by]
            or abs(found.moved) < self.settings.within / 2
        ):
            return None
        return "drifting" if found.moved > -0.5 else "scaling out"

    def steady(self) -> bool:
        """It is known, too, that it did not become slower or faster; or that cannot be had in useful time."""
        self.narrow_s = self.narrow_s or self.time_s
        if self.settings.by == "rate":
            return True  # a backlog that comes and goes hides it
        found = trend(self._settled_levels())
        return found is None or found.error <= STEADY or self.time_s >= PATIENCE * self.narrow_s

    def evidence(self) -> dict[str, Any]:
        """The figures that a finding rests on."""
        return {"requests": self.requests, "time_s": round(self.time_s, 3), "loads": len(self.levels)}

    def _binding(self) -> str | None:
        known = [(each.load, i) for i, each in enumerate(self.crossings) if each is not None]
        if known:
            return self.criteria[min(known)[1]].name
        level = self.levels.get(self.high)
        if level is None or not level.n:
            return None
        ratios = [level.excess(i, each) for i, each in enumerate(self.criteria)]
        return self.criteria[int(np.argmax(ratios))].name

    def _margin(self, i: int, at: float | None) -> Margin:
        found, criterion = self.crossings[i], self.criteria[i]
        level = min(self.levels.values(), key=lambda x: abs(x.load - (at or 0.0)), default=None)
        share = level.over(i) / level.n if level is not None and level.n else None
        counted = criterion.per_s is None
        margin = Margin(
            criterion.name, share=share if counted else None, allowed=criterion.allowed if counted else None
        )
        if found is None:
            return margin
        high = None if found.high > 1e12 else found.high
        return replace(margin, load=found.load, low=found.low, high=high)

    def more(self, low: float, high: float | None) -> More | None:
        """Widths fall with the square root of what is spent near the capacity."""
        if not low or high is None:
            return None
        times = ((high - low) / (self.settings.within * (low + high) / 2)) ** 2 - 1
        return None if times <= 0 else More(self.settings.within, times * self.time_s, int(times * self.requests))

    def level(self, load: float) -> Level:
        """An empty one, if it was not held."""
        return self.levels.get(load) or Level(load, len(self.levels) + 1)

    def _alpha(self) -> float:
        return LEVEL_ALPHA * (1 - self.settings.confidence) / max(len(self.criteria), 1)

    def narrow(self) -> bool:
        """It is known as narrowly as was asked for."""
        self.look()
        low, high = self.interval()
        if not low or high is None:
            return False
        wanted = self.settings.within * (low + high) / 2
        if self._apart(wanted):
            return True
        middle = self.crosses()
        if middle is None or not any(
            (1 - HELD) * middle <= x.load <= middle + 1e-9 or x.load == math.floor(middle)
            for x in self.levels.values()
            if len(x.readings) >= LEAST_HELD
        ):
            return False
        if self.settings.by == "users" and wanted < 1:
            # Two neighbours that cannot be told apart: the share crosses what is allowed very near to one of them.
            real = max((each.high - each.low for each in self.crossings if each), default=math.inf)
            if real <= FINE * wanted:
                wanted = 1.0
        return high - low <= wanted

    def _apart(self, wanted: float) -> bool:
        """Of the loads that are shown, no other is between; by rate only where every request takes as long."""
        met, broken = self.shown()
        if met is None:
            return False
        if self.settings.by == "users":
            return broken is not None and broken - met <= 1
        most = min(math.inf if broken is None else broken, most_per_s(self.levels.values(), self.top))
        return not self.level(met).varies() and most - met <= wanted

    def look(self) -> None:
        """Draw the lines anew, if there is more to draw them from."""
        near = self.near()
        if self.settings.by == "rate" and self.top is None:
            middle = self.crosses() or math.sqrt(self.low * self.high)
            near = [x for x in near if middle / FAR <= x.load <= middle * FAR]
        n = float(sum(level.n for level in near))
        if n < LOOK_GROWTH * self.looked:
            return
        self.looked = n
        self.crossings = self.lines(near)

    def lines(self, near: list[Level]) -> tuple[Crossing | None, ...]:
        """Where each criterion's line through `near` crosses what is allowed."""
        alpha = (1 - self.settings.confidence) / len(self.criteria)
        by, since, top = self.settings.by, self.first_visit, self.top
        return tuple(
            line(i, each, near, since, by, alpha, before, top)
            for i, (each, before) in enumerate(zip(self.criteria, self.crossings, strict=True))
        )
