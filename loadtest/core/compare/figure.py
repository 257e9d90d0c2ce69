"""One figure of one run, with how far the truth may be from it: the intervals of a comparison's parts.

A figure's scale is the logarithm where ratios are compared (rates, latencies), and the share itself for errors. Its
reach below and above is that of an interval at a chosen tail probability, on a sample that is as small as its windows'
dependence makes it (`dependence.py`):

    throughput     x (1 +- t e), e = sqrt(D / count), of batch means; never finer than one request
    percentile     order statistics: the latencies at the ranks n p +- t sqrt(n p (1 - p) D) + skew; no shape is assumed
    error share    Wilson's score interval on n / D requests

with t Student's quantile of the degrees of freedom that D, the effect of dependence, was estimated with. D of a share
is taken to be 1 at least.
The skew is the binomial's own, (1 - 2 p) (t^2 - 1) / 6 (Cornish and Fisher), to which a P99's upper rank owes much.
Sources: David and Nagaraja, "Order Statistics" (2003); Wilson (1927). No clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtest.core.compare.dependence import Dependence
from loadtest.core.compare.sample import LATENCIES, LevelSample
from loadtest.core.measure.histogram import Histogram
from loadtest.core.stats.quantile import t_quantile

__all__ = ["Figure", "figure_of", "mean_of"]


@dataclass(frozen=True, slots=True)
class Figure:
    """value: on its scale. below, above: how far the interval reaches, 0 or more; infinite: it has no end there."""

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


def figure_of(metric: str, sample: LevelSample, dependence: Dependence, tail: float) -> Figure:
    """The level's figure, whose interval misses the truth with probability `tail` on either side."""
    effect = dependence.effect(sample.series(metric))
    if metric == "throughput":
        t = t_quantile(tail, min(len(sample.ok) - 1, dependence.freedom))
        # Counting cannot be finer than one request, however regular they come.
        reach = t * math.sqrt(max(effect * float(sample.ok.sum()), 1.0)) / float(sample.ok.sum())
        return Figure(math.log(sample.rate_per_s), reach if reach < 1 else math.inf, reach)
    t = t_quantile(tail, dependence.freedom)
    if metric == "error share":
        return _share(float(sample.failed.sum()), float(sample.completed.sum()), max(1.0, effect), t)
    kind, share = LATENCIES[metric]
    return _percentile(sample.histograms[kind], share, max(1.0, effect), t)


def _percentile(histogram: Histogram, share: float, effect: float, t: float) -> Figure:
    n = histogram.total
    value_us = histogram.percentile_us(share)
    assert value_us is not None
    if not math.isfinite(t):
        return Figure(math.log(value_us), math.inf, math.inf)
    size = n / effect
    middle = size * share + (1 - 2 * share) * (t * t - 1) / 6
    spread = t * math.sqrt(size * share * (1 - share))
    low = math.floor((middle - spread) * n / size)
    high = max(1, math.ceil((middle + spread) * n / size) + 1)
    # Beyond the extreme of so few requests lies more than the tail: (1 - p)^size is about exp(-t^2 / 2).
    below = math.inf if low < 1 or size * share < t * t / 2 else math.log(value_us / histogram.value_at_rank_us(low))
    bounded = high <= n and size * (1 - share) >= t * t / 2
    above = math.log(histogram.value_at_rank_us(high) / value_us) if bounded else math.inf
    return Figure(math.log(value_us), max(0.0, below), max(0.0, above))


def _share(part: float, whole: float, effect: float, t: float) -> Figure:
    share, size = part / whole, whole / effect
    if not math.isfinite(t):
        return Figure(share, math.inf, math.inf)
    square = t * t / size
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    return Figure(share, max(0.0, share - (middle - half)), max(0.0, middle + half - share))
