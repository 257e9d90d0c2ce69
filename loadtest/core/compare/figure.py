"""One figure of one run, with how far the truth may be from it: the intervals of a comparison's parts.

A figure's scale is the logarithm where ratios are compared (rates, latencies), and the share itself for errors. Its
reach below and above is that of an interval at a chosen tail probability, on a sample that is as small as its windows'
dependence makes it (`dependence.py`):

    throughput     x (1 +- t e), e = sqrt(D / count), of batch means; never finer than one request
    percentile     order statistics: the latencies at the ranks n p +- t sqrt(n p (1 - p) D) + skew; no shape is
                   assumed. D is the percentile's own, and any other latency x is inside too whose share F(x) is off
                   p by less than its own D(x) explains: pauses make a second mode, and D is greatest between the two
    error share    Wilson's score interval on n / D requests

with t Student's quantile of the degrees of freedom that D, the effect of dependence, was estimated with. D of a share
is taken to be 1 at least.
The skew is the binomial's own, (1 - 2 p) (t^2 - 1) / 6 (Cornish and Fisher), to which a P99's upper rank owes much.
Sources: David and Nagaraja, "Order Statistics" (2003); Wilson (1927). No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.core.compare.dependence import Dependence, dependence_of
from loadtest.core.compare.sample import GRID, LATENCIES, LevelSample
from loadtest.core.stats.quantile import t_quantile

__all__ = ["Dependences", "Figure", "dependences_of", "figure_of", "mean_of"]

Dependences = Mapping[str | tuple[str, int], Dependence]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one side with its interval. value: on its scale. below, above: how far the interval reaches, 0 or
    more; infinite: it has no end there.
    """

    value: float
    below: float
    above: float

    def widened(self, times: float) -> Figure:
        return Figure(self.value, self.below * times, self.above * times)


def mean_of(figures: list[Figure]) -> Figure:
    """Of independent figures; at least one. The reaches add up as errors do."""
    count = len(figures)
    below, above = (math.hypot(*(getattr(f, side) for f in figures)) / count for side in ("below", "above"))
    return Figure(sum(figure.value for figure in figures) / count, below, above)


def figure_of(metric: str, sample: LevelSample, dependences: Dependences, tail: float) -> Figure:
    """The level's figure, whose interval misses the truth with probability `tail` on either side."""
    if metric in LATENCIES:
        return _percentile(*LATENCIES[metric], sample, dependences, tail)
    dependence = dependences[metric]
    effect = dependence.effect(sample.series(metric))
    if metric == "throughput":
        t = t_quantile(tail, min(len(sample.ok) - 1, dependence.freedom))
        # Counting cannot be finer than one request, however regular they come.
        reach = t * math.sqrt(max(effect * float(sample.ok.sum()), 1.0)) / float(sample.ok.sum())
        return Figure(math.log(sample.rate_per_s), reach if reach < 1 else math.inf, reach)
    t = t_quantile(tail, dependence.freedom)
    return _share(float(sample.failed.sum()), float(sample.completed.sum()), max(1.0, effect), t)


def dependences_of(levels: Sequence[LevelSample], metrics: Sequence[str]) -> Dependences:
    """What `figure_of` needs of all runs: by metric, or by a latency and the place in GRID."""
    found: dict[str | tuple[str, int], Dependence] = {
        metric: dependence_of([level.series(metric) for level in levels if level.has(metric)])
        for metric in metrics
        if metric not in LATENCIES
    }
    for kind in {LATENCIES[metric][0] for metric in metrics if metric in LATENCIES}:
        known = [level for level in levels if kind in level.counted]
        for place in range(len(GRID)):
            found[kind, place] = dependence_of([level.series_at(kind, place) for level in known])
    return found


def _percentile(kind: str, share: float, sample: LevelSample, dependences: Dependences, tail: float) -> Figure:
    histogram = sample.histograms[kind]
    n, value_us = histogram.total, histogram.percentile_us(share)
    assert value_us is not None
    own = GRID.index(share)
    low, high = _ranks(n, share, *_effect(kind, own, sample, dependences, tail))
    low, high = _widened(low, high, kind, share, sample, dependences, tail)
    below = math.inf if low < 1 else math.log(value_us / histogram.value_at_rank_us(math.floor(low)))
    above = math.inf if high > n else math.log(histogram.value_at_rank_us(math.ceil(high)) / value_us)
    return Figure(math.log(value_us), max(0.0, below), max(0.0, above))


def _effect(kind: str, place: int, sample: LevelSample, dependences: Dependences, tail: float) -> tuple[float, float]:
    """(D, t) at a quantile of the grid."""
    dependence = dependences[kind, place]
    return max(1.0, dependence.effect(sample.series_at(kind, place))), t_quantile(tail, dependence.freedom)


def _ranks(n: int, share: float, effect: float, t: float) -> tuple[float, float]:
    """0 and n + 1: there is no such end. Beyond the extreme of so few requests lies more than the tail: (1 - p)^size is
    about exp(-t^2 / 2)."""
    if not math.isfinite(t):
        return 0.0, n + 1.0
    size = n / effect
    middle = size * share + (1 - 2 * share) * (t * t - 1) / 6
    spread = t * math.sqrt(size * share * (1 - share))
    low = 0.0 if size * share < t * t / 2 else max(0.0, (middle - spread) / size * n)
    high = n + 1.0 if size * (1 - share) < t * t / 2 else min(n + 1.0, (middle + spread) / size * n + 1)
    return low, max(high, 1.0)


def _widened(
    low: float, high: float, kind: str, share: float, sample: LevelSample, dependences: Dependences, tail: float
) -> tuple[float, float]:
    """The ranks, moved outwards to where the grid's own D leaves off to explain the distance from `share`."""
    counted = float(sample.counted[kind].sum())
    below = (1 - sample.above[kind].sum(axis=0) / counted).tolist()  # F at the grid's quantiles
    ratios = []
    for place, at in enumerate(below):
        effect, t = _effect(kind, place, sample, dependences, tail)
        ratios.append(abs(share - at) / (t * math.sqrt(share * (1 - share) * effect / counted)))
    own = GRID.index(share)
    ends = []
    for outwards in (range(own, -1, -1), range(own, len(GRID))):
        inside = [place for place in outwards if ratios[place] < 1]
        last = inside[-1] if inside else own
        after = last + (outwards.step)
        if not inside or after not in outwards:
            ends.append(below[last] if not inside else 0.0 if outwards.step < 0 else 1.0 + 1 / counted)
            continue
        part = (1 - ratios[last]) / (ratios[after] - ratios[last])
        ends.append(below[last] + part * (below[after] - below[last]))
    return min(low, ends[0] * counted), max(high, ends[1] * counted)


def _share(part: float, whole: float, effect: float, t: float) -> Figure:
    share, size = part / whole, whole / effect
    if not math.isfinite(t):
        return Figure(share, math.inf, math.inf)
    square = t * t / size
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    return Figure(share, max(0.0, share - (middle - half)), max(0.0, middle + half - share))
