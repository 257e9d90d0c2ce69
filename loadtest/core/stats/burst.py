"""Counts of requests over a limit, and how much less they say when the slow ones come in bursts.

A share estimated from n independent requests has the variance p (1 - p) / n. When slow requests come in bursts (a
pause of the garbage collector, a noisy neighbour), neighbours resemble each other and the variance is `DEFF` times
that: the n requests say no more than n / DEFF independent ones. DEFF, the design effect, is estimated from the
variance between batches of consecutive requests over what independence would give:

    DEFF = sum_i (over_i - p n_i)^2 / (p (1 - p) sum_i n_i) x k / (k - 3)        k batches of n_i requests

The factor makes n / DEFF, not DEFF, free of bias: the mean of 1 / chi-squared with k - 1 degrees is 1 / (k - 3).
Batches shorter than a burst underestimate it, so they are doubled as long as there are enough of them, and a longer
batch's estimate is taken where it is clearly larger. Sources: Kish, "Survey Sampling" (1965), design effect; batch
means as in Law, "Simulation Modeling and Analysis". No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.core.measure.counts import Counts

__all__ = ["ENOUGH", "Tally", "design_effect", "tally_of"]

ENOUGH = 10  # batches, for a first estimate
ENOUGH_LONGER = 16  # batches, for one that may replace it: it is the more doubtful the fewer they are
CLEARLY = 1.5  # times the shorter batches' estimate
MAX_KEPT = 256  # batches; beyond that neighbours are joined

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """n: requests judged. over: those over the limit, failures included. batches: (n, over) of consecutive ones."""

    n: int = 0
    over: int = 0
    batches: Pairs = ()

    def plus(self, counts: Counts) -> Tally:
        """The tally after one more window's counts."""
        batches = self.batches + counts.over_batches
        if len(batches) > MAX_KEPT:
            batches = _joined(batches)
        return Tally(self.n + counts.completed, self.over + counts.over, batches)

    @property
    def share(self) -> float:
        """Of requests over; 0 on no data."""
        return self.over / self.n if self.n else 0.0


def tally_of(parts: Iterable[Counts]) -> Tally:
    """The tally of consecutive windows' counts."""
    tally = Tally()
    for counts in parts:
        tally = tally.plus(counts)
    return tally


def design_effect(
    batches: Pairs, size: int, *, enough: int = ENOUGH, longer: int = ENOUGH_LONGER, clearly: float = CLEARLY
) -> float | None:
    """DEFF, at least 1, from batches of about `size` requests; None: there are fewer than `enough` of them.

    longer, clearly: how many longer batches may replace the estimate, if theirs is so many times larger.
    """
    pairs = _grouped(np.array(batches, np.float64).reshape(-1, 2), size)
    if len(pairs) < enough:
        return None
    n, over = pairs.sum(axis=0).tolist()
    share: float = over / n
    if share in (0.0, 1.0):
        return 1.0
    found = _ratio(pairs, share)
    while len(pairs) >= 2 * longer:
        pairs = pairs[: len(pairs) // 2 * 2].reshape(-1, 2, 2).sum(axis=1)
        ratio = _ratio(pairs, share)
        if ratio > clearly * found:
            found = ratio
    return found


def _ratio(pairs: NDArray[np.float64], share: float) -> float:
    n, over = pairs[:, 0], pairs[:, 1]
    spread = float(((over - share * n) ** 2).sum())
    count = len(pairs)
    return max(1.0, spread / (share * (1 - share) * float(n.sum())) * count / (count - 3))


def _grouped(pairs: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Neighbours joined until each batch has `size` requests; the rest that has fewer is left out."""
    if not len(pairs):
        return pairs
    ends = np.floor(np.cumsum(pairs[:, 0]) / size)
    group = np.concatenate(([0.0], ends[:-1]))
    starts = np.flatnonzero(np.diff(group, prepend=-1.0))
    joined: NDArray[np.float64] = np.add.reduceat(pairs, starts, axis=0)
    return joined if joined[-1, 0] >= size else joined[:-1]


def _joined(batches: Pairs) -> Pairs:
    """Neighbours joined in pairs: half as many batches, each as long as two."""
    pairs = np.array(batches, np.int64)
    whole = np.add.reduceat(pairs, np.arange(0, len(pairs), 2), axis=0)
    return tuple((int(n), int(over)) for n, over in whole)
