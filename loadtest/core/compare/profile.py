"""What each side of a comparison is by itself: its levels' figures with 95 % intervals, and its latencies.

For pictures. The answers of a comparison rest on intervals of differences (`comparison.py`), which are wider for the
number of rows that they share an error probability with; those here are made by the same rules, each by itself.
No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.core.compare.figure import Dependences, dependences_of, figure_of
from loadtest.core.compare.matching import Side, matched
from loadtest.core.compare.pooling import pooled
from loadtest.core.compare.sample import LevelSample, sample_of
from loadtest.core.measure.histogram import Histogram
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Level

__all__ = ["DRAWN", "Interval", "LevelProfile", "SideProfile", "profiles_of"]

DRAWN = ("throughput", "p50", "p95", "p99")
TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its interval. value: per s or ms. low, high: of the 95 % interval; None: it has no end there."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LevelProfile:
    """A level of one side, as drawn. figures: by metric, those of DRAWN that every run of the side has enough requests
    for.
    """

    level: Level
    figures: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class SideProfile:
    """One side, as drawn. levels: those that every run of the side has, also one that it ended in. latency: of the
    successes of all runs at the levels that both sides have, as a threshold is compared.
    """

    levels: Sequence[LevelProfile]
    latency: Histogram


def profiles_of(baseline: Sequence[RunResult], candidate: Sequence[RunResult]) -> tuple[SideProfile, SideProfile]:
    """Each is one run or repeats of one, at least one."""
    sides = [[sample_of(result) for result in side] for side in (baseline, candidate)]
    every = [level for side in sides for run in side for level in run.begun.values()]
    dependences = dependences_of(every, DRAWN) if every else {}
    shared = list(matched(sides).values())
    found = [
        SideProfile(_levels(side, dependences), _latency([level for runs in shared for level in runs[place]]))
        for place, side in enumerate(sides)
    ]
    return found[0], found[1]


def _levels(side: Side, dependences: Dependences) -> list[LevelProfile]:
    return [_level(runs, dependences) for (runs,) in matched((side,), begun=True).values()]


def _level(runs: Sequence[LevelSample], dependences: Dependences) -> LevelProfile:
    figures = {}
    for metric in DRAWN:
        if all(level.has(metric) for level in runs):
            (figure,) = pooled([[figure_of(metric, level, dependences, TAIL) for level in runs]], TAIL)
            scale = 1.0 if metric == "throughput" else 1000.0  # latencies are kept in us
            ends = (figure.value - figure.below, figure.value + figure.above)
            low, high = (math.exp(end) / scale if math.isfinite(end) else None for end in ends)
            figures[metric] = Interval(math.exp(figure.value) / scale, low, high)
    return LevelProfile(runs[0].level, figures)


def _latency(levels: Sequence[LevelSample]) -> Histogram:
    whole = Histogram()
    for level in levels:
        whole.add(level.histograms["judged"])
    return whole
