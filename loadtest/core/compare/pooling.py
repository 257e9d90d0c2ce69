"""Repeats of a side in one figure, and the difference of two sides. No clock, no I/O.

Repeats differ by more than their windows show (another placement, another neighbour), so with three runs a side or
more the interval is the wider of two: that of the runs' own errors, and Student's t on the runs themselves, whose
variance is pooled over both sides. With fewer the runs' own errors are stretched by the ratio of what is between the
runs to what is within them, where that is above 1 (the scale factor of the Particle Data Group, "Introduction" 5.2.2).
One run a side shows no variance between runs at all, and none is made up.

The difference of two figures takes the ends of their intervals (MOVER: Zou and Donner, Statistics in Medicine 27, 2008;
for shares it is Newcombe's method 10, 1998):

    low  = (b - a) - sqrt(below_b^2 + above_a^2)          high = (b - a) + sqrt(above_b^2 + below_a^2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.compare.figure import Figure, mean_of
from loadtest.core.stats.quantile import t_quantile

__all__ = ["Difference", "difference_of", "pooled"]

ENOUGH_FREEDOM = 4  # three runs a side


@dataclass(frozen=True, slots=True)
class Difference:
    """b - a on the figures' scale, and its interval."""

    value: float
    low: float
    high: float


def difference_of(a: Figure, b: Figure) -> Difference:
    value = b.value - a.value
    return Difference(value, value - math.hypot(b.below, a.above), value + math.hypot(b.above, a.below))


def pooled(sides: Sequence[Sequence[Figure]], tail: float) -> list[Figure]:
    """One figure a side; `tail` is that of the figures' own intervals. Each side has at least one run."""
    means = [mean_of(list(side)) for side in sides]
    freedom = sum(len(side) - 1 for side in sides)
    if not freedom:
        return means
    squares = sum((run.value - mean.value) ** 2 for side, mean in zip(sides, means, strict=True) for run in side)
    between = math.sqrt(squares / freedom)
    # The reach of a run's own interval in standard deviations is hardly less than a normal one's.
    z = t_quantile(tail, math.inf)
    own = [min(run.below, run.above) / z for side in sides for run in side]
    within = math.sqrt(sum(error * error for error in own) / len(own))
    if freedom >= ENOUGH_FREEDOM or not within:
        reaches = [t_quantile(tail, freedom) * between / math.sqrt(len(side)) for side in sides]
        return [
            Figure(mean.value, max(mean.below, reach), max(mean.above, reach))
            for mean, reach in zip(means, reaches, strict=True)
        ]
    return [mean.widened(max(1.0, between / within)) for mean in means]
