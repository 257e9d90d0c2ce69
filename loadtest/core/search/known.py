"""What a search knows so far: levels, crossings, and what follows from them. No clock, no I/O."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished, Margin, More
from loadtest.core.search.change import trend
from loadtest.core.search.fit import Crossing
from loadtest.core.search.level import Level
from loadtest.core.search.lines import line
from loadtest.core.search.reading import criteria_of

__all__ = ["Known"]

LEVEL_ALPHA = 0.2  # of the error, for the levels' own tests
NEAR = 1.35  # loads so far from the crossing are on its line
DRIFT_Z = 3.0
STEADY, PATIENCE = 0.05, 3.0  # error of the latency's change; times as long as an interval took
LOOK_GROWTH = 1.05  # of the evidence between two looks
HELD, LEAST_HELD = 0.05, 5  # so near to the answer a load was held, for so many windows
FINE = 0.6
LEAST_SERVED, SIGMAS = 6, 3.0  # windows of an overload
SOON = 12  # windows of a load that decide


class Known:
    """Grows with each window of a search."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._criteria = criteria_of(settings)
        self._levels: dict[float, Level] = {}
        self._low, self._high = 0.0, math.inf  # seems to meet, seems to break
        self._finished: Finished | None = None
        self._looked, self._first_visit, self._narrow_s = 0.0, 0, 0.0
        self._requests, self._time_s = 0, 0.0
        self._spent: dict[float, float] = {}
        self._crossings: tuple[Crossing | None, ...] = (None,) * len(self._criteria)

    def capacity(self) -> Capacity:
        """What is known now."""
        low, high = self._interval()
        finding: Finding = "searching" if self._finished is None else self._finished.finding
        load = self._estimate() if finding in ("found", "budget") and low and high is not None else None
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

    def _shown(self) -> tuple[float | None, float | None]:
        """(highest load shown to meet every limit, lowest shown to break one) by their own tests."""
        alpha = self._alpha()
        met, broken = None, None
        for load, level in sorted(self._levels.items()):
            answers = [level.answer(i, each, alpha) for i, each in enumerate(self._criteria)]
            if broken is None and -1 in answers:
                broken = load
            if answers and all(answer == 1 for answer in answers) and broken is None:
                met = load
        return met, broken

    def _interval(self) -> tuple[float, float | None]:
        """(0: not known below, None: not known above). Of the lines, where they have both ends; else of the levels."""
        met, broken = self._shown()
        by_users = self._settings.by == "users"
        low, high = met or 0.0, broken if broken is not None else math.inf
        known = [each for each in self._crossings if each is not None and each.high < 1e12]
        if not by_users and met and min(broken or math.inf, self._most_per_s()) - met < self._settings.within * met:
            known = []
        if known and not self._steep():
            low, high = min(each.low for each in known), min(each.high for each in known)
        elif by_users and high < math.inf:
            high -= 1  # whole users: below a load that breaks it
        if not by_users:
            high = min(high, self._most_per_s(), broken or math.inf)
            low = min(max(low, met or 0.0), high)
        if by_users:
            low, high = float(math.floor(low)), float(math.floor(high)) if high < math.inf else high
        high = min(high, self._settings.max_load) if high < math.inf else high
        return low, None if high == math.inf else float(max(high, low))

    def _most_per_s(self) -> float:
        """No rate above the throughput of an overload stays: the largest that was seen there, and its error."""
        most = math.inf
        for level in self._levels.values():
            ok = np.array([r.ok / (r.end_s - r.start_s) for r in level.readings])
            if len(ok) < LEAST_SERVED:
                continue
            rate, error = float(ok.mean()), float(ok.std(ddof=1)) / math.sqrt(len(ok))
            if rate + SIGMAS * error + 1 < level.load:
                most = min(most, rate + SIGMAS * error)
        return most

    def _steep(self) -> bool:
        """The neighbouring loads decide by themselves, and soon: a line has nothing to say of them."""
        gap = self._high - self._low
        if not self._low or (
            gap > 0.5 * self._settings.within * self._low and not (self._settings.by == "users" and gap <= 1)
        ):
            return False
        for load, side in ((self._low, -1), (self._high, 1)):
            level = self._level(load)
            nats = max((level.evidence(i, c) for i, c in enumerate(self._criteria)), default=0.0)
            if side * nats * SOON < self._needed(level) * len(level.readings):
                return False
        return True

    def _estimate(self) -> float | None:
        known = [each.load for each in self._crossings if each is not None]
        low, high = self._interval()
        if known:
            load = min(max(min(known), low), high if high is not None else math.inf)
            return float(math.floor(load)) if self._settings.by == "users" and self._finished else load
        return None if not low or high is None else math.floor((low + high) / 2) if self._finished else None

    def _crosses(self) -> float | None:
        """The lines' own estimate, of which users are not yet whole."""
        return min((each.load for each in self._crossings if each is not None), default=None)

    def _near_levels(self) -> list[Level]:
        return [x for x in self._levels.values() if self._low / NEAR <= x.load <= self._high * NEAR]

    def _settled_levels(self) -> list[Level]:
        """Whose latency would stay: by rate, not of a backlog that grows."""
        return [x for x in self._near_levels() if self._settings.by == "users" or x.load <= self._low]

    def _drift(self) -> Finding | None:
        """It became slower or faster by more than half of what the interval may be wide."""
        found = trend(self._settled_levels())
        if found is None or abs(found.sigmas) < DRIFT_Z or abs(found.moved) < self._settings.within / 2:
            return None
        return "drifting" if found.moved > -0.5 else "scaling out"

    def _steady(self) -> bool:
        """It is known, too, that it did not become slower or faster; or that cannot be had in useful time."""
        self._narrow_s = self._narrow_s or self._time_s
        found = trend(self._settled_levels())
        return found is None or found.error <= STEADY or self._time_s >= PATIENCE * self._narrow_s

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
        ratios = [level.excess(i, each) for i, each in enumerate(self._criteria)]
        return self._criteria[int(np.argmax(ratios))].name

    def _margin(self, i: int, at: float | None) -> Margin:
        found, criterion = self._crossings[i], self._criteria[i]
        level = min(self._levels.values(), key=lambda x: abs(x.load - (at or 0.0)), default=None)
        share = level.over(i) / level.n if level is not None and level.n else None
        counted = criterion.per_s is None
        margin = Margin(
            criterion.name, share=share if counted else None, allowed=criterion.allowed if counted else None
        )
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

    def _level(self, load: float) -> Level:
        """An empty one, if it was not held."""
        return self._levels.get(load) or Level(load, len(self._levels) + 1)

    def _alpha(self) -> float:
        return LEVEL_ALPHA * (1 - self._settings.confidence) / max(len(self._criteria), 1)

    def _needed(self, level: Level) -> float:
        return level.needed(self._alpha())

    def _narrow(self) -> bool:
        """It is known as narrowly as was asked for."""
        self._look()
        low, high = self._interval()
        if not low or high is None:
            return False
        wanted = self._settings.within * (low + high) / 2
        met, broken = self._shown()
        apart = math.inf if met is None or broken is None else broken - met
        if apart <= (1 if self._settings.by == "users" else wanted):
            return True
        middle = self._crosses()
        if middle is None or not any(
            (1 - HELD) * middle <= x.load <= middle + 1e-9 or x.load == math.floor(middle)
            for x in self._levels.values()
            if len(x.readings) >= LEAST_HELD
        ):
            return False
        if self._settings.by == "users" and wanted < 1:
            # Two neighbours that cannot be told apart: the share crosses what is allowed very near to one of them.
            real = max((each.high - each.low for each in self._crossings if each), default=math.inf)
            if real <= FINE * wanted:
                wanted = 1.0
        return high - low <= wanted

    def _look(self) -> None:
        """Draw the lines anew, if there is more to draw them from."""
        near = self._near_levels()
        if self._settings.by == "rate":
            middle = self._crosses() or math.sqrt(self._low * self._high)
            near = [x for x in near if middle / 1.035 <= x.load <= middle * 1.035]
        n = float(sum(level.n for level in near))
        if n < LOOK_GROWTH * self._looked:
            return
        self._looked = n
        alpha = (1 - self._settings.confidence) / len(self._criteria)
        self._crossings = tuple(
            line(i, each, near, self._first_visit, self._settings.by, alpha, self._crossings[i])
            for i, each in enumerate(self._criteria)
        )
