"""What a search knows so far: levels, crossings, and what follows from them. No clock, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from loadtest.core.request.search import SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished, Margin, More
from loadtest.core.search.fit import Crossing, crossing
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Criterion, Reading, criteria_of

__all__ = ["LEVEL_ALPHA", "NEAR", "Known", "latency_s"]

LEVEL_ALPHA = 0.2  # of the error, for the levels' own tests
NEAR = 1.35  # loads so far from the crossing are on its line
POCOCK = 2.555 / 1.960  # ten looks
DRIFT_Z = 2.6


@dataclass(slots=True)
class Known:
    """Of one search, so far. criteria: what is held against its limit, in the order of `crossings`.

    levels: by load. low, high: the highest load that seems to meet everything, the lowest that seems to break it; 0,
    infinite: none. crossings: where the lines drawn last cross; None: there is none. finished: None: it goes on.
    requests, time_s: spent; spent_s: of the time, at each load. by_model: limits were compared on the model's clock.
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

    @classmethod
    def of(cls, settings: SearchSettings) -> Known:
        """Nothing yet."""
        criteria = criteria_of(settings)
        return cls(settings, criteria, crossings=(None,) * len(criteria))

    def capacity(self) -> Capacity:
        """What is known now."""
        low, high = self.interval()
        finding: Finding = "searching" if self.finished is None else self.finished.finding
        load = self.estimate() if finding == "found" else None
        if load is not None and high is not None:
            load = min(max(load, low), high)
        met, broken = self.shown()
        at = load if load is not None else low or None
        above = high if high is not None else math.inf
        return Capacity(
            finding=finding,
            by=self.settings.by,
            confidence=self.settings.confidence,
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
        alpha = LEVEL_ALPHA * (1 - self.settings.confidence) / max(len(self.criteria), 1)
        found = {}
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
        """(low, high) of the capacity as far as it is known; 0, None: it is not."""
        met, broken = self.shown()
        low: float = met or 0.0
        high: float = broken if broken is not None else math.inf
        known = [each for each in self.crossings if each is not None]
        if known:
            low = max(low, min(each.low for each in known))
            high = min(high, min(each.high for each in known))
        if self.settings.by == "users":
            # The capacity is a whole number: below a load that breaks it, and not below one that meets it.
            whole = float(math.floor(high)) if high < math.inf else high
            high = whole - 1 if high == broken else whole
            low = float(math.floor(low))
        high = min(high, self.settings.max_load) if broken is not None else high
        return low, None if high == math.inf or high > 1e12 else float(max(high, low))

    def near(self) -> list[Level]:
        """The levels that are on the line."""
        return [x for x in self.levels.values() if self.low / NEAR <= x.load <= self.high * NEAR]

    def lines(self, near: list[Level]) -> tuple[Crossing | None, ...]:
        """Where each criterion's line through `near` crosses what is allowed; it may be looked at ten times."""
        rows = [(x.load, r.n, v, *r.over) for x in near for r, v in zip(x.readings, x.visits, strict=True)]
        if not rows:
            return (None,) * len(self.criteria)
        load, n, visit, *over = np.array(rows, np.float64).T
        alpha = (1 - LEVEL_ALPHA) * (1 - self.settings.confidence) / len(self.criteria)
        z = POCOCK * NormalDist().inv_cdf(1 - alpha / 2)
        return tuple(crossing(load, n, over[i], visit, each.allowed, z) for i, each in enumerate(self.criteria))

    def estimate(self) -> float | None:
        """The likeliest capacity; None: nothing tells it."""
        known = [each.load for each in self.crossings if each is not None]
        low, high = self.interval()
        if known:
            load = min(max(min(known), low), high if high is not None else math.inf)
            return float(math.floor(load)) if self.settings.by == "users" and self.finished else load
        return None if not low or high is None else math.floor((low + high) / 2) if self.finished else None

    def drift(self) -> Finding | None:
        """From the mean latency at the same load, early against late, near the capacity; None: it stayed as it was."""
        logs, times, loads = [], [], []
        for level in self.levels.values():
            if self.low / NEAR <= level.load <= self.high * NEAR:
                for reading in level.readings:
                    if reading.ok and reading.latency_sum_s > 0:
                        logs.append(math.log(latency_s(reading)))
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
        if abs(float(beta[2])) < DRIFT_Z * error or abs(moved) < self.settings.within / 2:
            return None
        return "drifting" if moved > -0.5 else "scaling out"

    def evidence(self) -> dict[str, Any]:
        """The figures that a finding rests on."""
        return {"requests": self.requests, "time_s": round(self.time_s, 3), "loads": len(self.levels)}

    def _per_min(self, load: float | None) -> float | None:
        """Successes a minute at a load, between the neighbours that were held."""
        held = sorted((x, 60 * rate) for x, level in self.levels.items() if (rate := level.rate_per_s) is not None)
        if load is None or not held:
            return None
        return float(np.interp(load, [x for x, _ in held], [rate for _, rate in held]))

    def _knee(self) -> float | None:
        held = sorted((x, rate) for x, level in self.levels.items() if (rate := level.rate_per_s) is not None)
        top = max((rate for _, rate in held), default=0.0)
        first = next((x for x, rate in held if rate >= 0.97 * top), None)
        return first if self.settings.by == "users" and held and first != held[-1][0] else None

    def _binding(self) -> str | None:
        known = [(each.load, i) for i, each in enumerate(self.crossings) if each is not None]
        if known:
            return self.criteria[min(known)[1]].name
        level = self.levels.get(self.high)
        if level is None or not level.n:
            return None
        ratios = [level.over(i) / level.n / each.allowed for i, each in enumerate(self.criteria)]
        return self.criteria[int(np.argmax(ratios))].name

    def _margin(self, i: int, at: float | None) -> Margin:
        found, criterion = self.crossings[i], self.criteria[i]
        level = min(self.levels.values(), key=lambda x: abs(x.load - (at or 0.0)), default=None)
        share = level.over(i) / level.n if level is not None and level.n else None
        margin = Margin(criterion.name, share=share, allowed=criterion.allowed)
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


def latency_s(reading: Reading) -> float:
    return reading.latency_sum_s / reading.ok if reading.ok else reading.end_s - reading.start_s
