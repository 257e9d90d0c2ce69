"""How much less the windows of a run say than as many independent requests.

Two things make it less, and both are measured. Requests of the same moment resemble each other, so that a window's
count varies by more than that of independent requests: the dispersion, V n / (n p (1 - p)) of a share p, V n / count
of a rate. And windows resemble their neighbours: for a stationary series whose n windows have the variance V each, the
mean's variance is V G / n, where the growth G is

    G(b) = variance of the sums of b consecutive windows / (b V)

for a b that is long against the memory of the series: 1 if windows are independent, above it if slow ones come in
runs, waves or drifts. The rule for b, the same for every metric: blocks are doubled, 1, 2, 4, ... windows, as long as
levels still have two of them, and a longer block is believed where its G is above the last believed one by more
than chance explains (a chi-squared at 80 %, with the blocks' degrees of freedom). Of the block believed
2 G(b) - G(b / 2) is taken, which is nearer to the limit. A memory longer than a fraction of a level stays hidden in the
levels' own means: one run cannot tell it from a difference, repeats can.

Levels are put on one scale by what independence would give, and pooled over all runs of a comparison: one level has too
few long blocks, and one run may have been spared the pauses that the endpoint has. A variance that a few pauses make is
known from a few events, however many windows there are; its degrees of freedom follow from the fourth moment of the
k blocks' sums y, f = 2 (sum y^2)^2 / (sum y^4 - (sum y^2)^2 / k), which is k for normal ones and 2 for a single pause.
The intervals made of it are as wide as that is worth (Student's t).

Sources: Law, "Simulation Modeling and Analysis", batch means; Flyvbjerg and Petersen, J. Chem. Phys. 91 (1989), the
doubling of blocks and its plateau; Vats and Flegal, Biometrika 109 (2022), 2 G(b) - G(b / 2); Kish (1965), design
effect; Bayley and Hammersley, Suppl. J. R. Stat. Soc. 8 (1946), what the mean takes away. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CountSeries", "Dependence", "dependence_of"]

Z_80 = 0.8416212335729143
LEAST_CLUSTER = 4  # windows
MOST_TAKEN = 0.8
LEAST_BLOCKS = 3  # fewer say nothing about a variance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CountSeries:
    """Counts of a level, window by window.

    residuals: what each window has over its part of the level's count, in requests; they add up to 0.
    expected: variance of the level's count, were its requests independent.
    """

    residuals: Floats
    expected: float

    @classmethod
    def of(cls, part: Floats, whole: Floats, *, share: bool = False) -> CountSeries:
        """part: counts. whole: what they are in proportion to: seconds, or requests that the part is a share of."""
        total, size = float(part.sum()), float(whole.sum())
        ratio = total / size if size else 0.0
        return cls(part - whole * ratio, total * (1 - ratio) if share else total)

    @property
    def variance(self) -> float:
        """Of the level's count, were its windows independent; 0 on fewer than two."""
        count = len(self.residuals)
        return float((self.residuals**2).sum()) * count / (count - 1) if count > 1 else 0.0

    @property
    def dispersion(self) -> float:
        """`variance` over `expected`; 1 where nothing varies."""
        return self.variance / self.expected if self.expected > 0 else 1.0

    def clustered(self, block: int) -> float:
        """`dispersion` of blocks of so many windows, or of quarters of the level if those are shorter."""
        count = len(self.residuals)
        length = min(block, count // 4)
        if length < 2 or not self.expected:
            return self.dispersion
        sums = self.residuals[count % length :].reshape(-1, length).sum(axis=1)
        return float(((sums - sums.mean()) ** 2).sum()) / (len(sums) - 1) * count / length / self.expected


@dataclass(frozen=True, slots=True)
class Dependence:
    """How much windows that resemble the one before widen an interval.

    dispersion: of all levels together. growth: G, at least 1. freedom: degrees that it was estimated with.

    block: windows, b.
    """

    dispersion: float
    growth: float
    freedom: float
    block: int

    def effect(self, series: CountSeries) -> float:
        """How many times the variance of the level's count is that of independent requests."""
        # A single pause in this level alone is hardly seen in what all levels have together.
        own = series.clustered(max(LEAST_CLUSTER, 2 * self.block))
        return max(series.dispersion * self.growth, self.dispersion * self.growth, own)


def dependence_of(levels: Sequence[CountSeries]) -> Dependence:
    """levels: of every run."""
    scaled = [
        level.residuals / math.sqrt(level.expected / len(level.residuals))
        for level in levels
        if level.expected > 0 and level.variance > 0
    ]
    windows = _blocks(scaled, 1)
    if windows is None:
        return Dependence(1.0, 1.0, math.inf, 1)  # nothing varies
    believed, chosen, block = windows, 1, 2
    half, before = windows.variance, windows.variance
    while (found := _blocks(scaled, block)) is not None:
        if found.variance > believed.variance * _by_chance(found.blocks):
            believed, chosen, half = found, block, before
        before = found.variance
        block *= 2
    # The error of G(b) is in proportion to 1 / b, so that of twice G(b) less G(b / 2) is of a higher order.
    growth = max(believed.variance, 2 * believed.variance - half) / windows.variance
    # Taking the level's mean away takes G / n of the variance with it, of n windows.
    length = sum(len(part) for part in scaled) / len(scaled)
    growth *= (1 - 1 / length) / (1 - min(growth / length, MOST_TAKEN))
    return Dependence(windows.variance, growth, believed.freedom, chosen)


class _Blocks(NamedTuple):
    """variance: of a block's sum over its length. blocks: how many there are, less one a level."""

    variance: float
    blocks: int
    freedom: float


def _blocks(series: Sequence[Floats], block: int) -> _Blocks | None:
    """None: too few levels have two blocks of this length."""
    parts = []
    for part in series:
        count = len(part) // block
        if count >= 2:
            # The windows left over are at the beginning, which still feels the level before.
            sums = part[len(part) - count * block :].reshape(count, block).sum(axis=1)
            parts.append(sums - sums.mean())
    if not parts:
        return None
    sums = np.concatenate(parts)
    count = len(sums) - len(parts)
    if count < LEAST_BLOCKS:
        return None
    square, fourth = float((sums**2).sum()), float((sums**4).sum())
    excess = fourth - square * square / len(sums)
    freedom = min(float(count), 2 * square * square / excess) if excess > 0 else float(count)
    return _Blocks(square / count / block, count, freedom)


def _by_chance(freedom: int) -> float:
    """80 % quantile of chi-squared over its degrees of freedom (Wilson and Hilferty)."""
    part = 2 / (9 * freedom)
    return float((1 - part + Z_80 * math.sqrt(part)) ** 3)
