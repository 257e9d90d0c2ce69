"""The interval of a percentile by order statistics, on the effective number of requests. No clock, no I/O.

Source: David and Nagaraja, "Order Statistics" (2003), section 7.1; Kish (1965), the design effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from loadtest.core.stats.clusters import Floats
from loadtest.core.stats.evidence import log_beta_ratio

__all__ = ["ranks_of", "window_effect"]

LEAST_WINDOWS = 3  # whose spread is believed


def ranks_of(percentile: float, n: int, effective_n: float) -> tuple[int, int | None]:
    """Ranks (from 1) of the sorted values that enclose the percentile with 95 %; None: n has no upper one.

    percentile: a share. effective_n: of independent values that n amounts to.
    """
    size = max(1, round(min(effective_n, n)))
    low = _first(size, lambda rank: _tail(size, percentile, rank) < 0.975) - 1
    high = _first(size, lambda rank: _tail(size, percentile, rank) <= 0.025)
    low_rank = max(1, math.floor(low * n / size))
    return low_rank, None if high > size else min(n, math.ceil(high * n / size))


def window_effect(n: Floats, over: Floats) -> float:
    """The design effect, at least 1: how much more windows differ in their share over a value than chance makes them.

    n, over: by window, in the order of time; also of 2, 4, ... of them joined, while there are three; the largest.
    """
    effect, share = 1.0, float(over.sum()) / max(float(n.sum()), 1.0)
    if not 0 < share < 1:
        return effect
    while len(n) >= LEAST_WINDOWS:
        expected = share * (1 - share) * float(n.sum()) * (1 - 1 / len(n))
        effect = max(effect, float(((over - share * n) ** 2).sum()) / expected)
        starts = np.arange(0, len(n) - 1, 2)
        n, over = np.add.reduceat(n, starts), np.add.reduceat(over, starts)
    return effect


def _tail(n: float, share: float, over: float) -> float:
    """P(at least `over` of n) if each is over with probability `share`: I_share(over, n - over + 1)."""
    if over <= 0:
        return 1.0
    if over > n:
        return 0.0
    return math.exp(log_beta_ratio(over, n - over + 1, share))


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first rank of 1 .. size that holds, where all later ones do; size + 1: none does."""
    low, high = 1, size + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
