"""Streams that the rule of `stats/run_evidence.py` cannot stop, told from the seconds' sums alone, all looks at once.

What is asked here, of every look, is necessary for a stop and a part of what the rule asks: a stream that passes
nowhere is never stopped, and most healthy ones are such. The others are shown to the rule itself, second by second, so
nothing of what is measured changes; it is only sooner.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loadtest.core.stats.assumed import ALPHA, MIDWAY_BLOCKS, Assumed, assumed_for
from loadtest.core.stats.cold import SATURATED
from loadtest.core.stats.run_evidence import GROSS_EACH, REST_TIMES, WORST_SHARE

__all__ = ["may_stop"]

GROSS_WINDOWS = 3  # at least, of a gross breach


def may_stop(over: NDArray[np.int64], rate: int, levels: int, level_s: int, allowed: float) -> bool:
    """over: requests over the limit in each second, of `rate`; False: the rule does not stop this stream."""
    seconds = len(over)
    starts = np.minimum(np.arange(0, levels * level_s, level_s), seconds - 1)
    share = over / rate
    first = share[starts[:, None] + np.arange(2)]
    each = min(GROSS_EACH * allowed, (1 + allowed) / 2)
    gross = np.ones(len(starts), np.bool_)
    for later in range(GROSS_WINDOWS):
        gross &= share[np.minimum(starts + later, seconds - 1)] >= each
    if (first >= SATURATED).any() or gross.any():
        return True
    assumed = assumed_for(float(levels * level_s), allowed)
    longest = assumed.lasting_s
    slow = np.convolve(share >= max(0.5, each), np.ones(math.ceil(longest - 1e-6)), "valid")
    if (slow >= math.ceil(longest - 1e-6) - 0.5).any():
        return True
    return _evidence(np.concatenate(([0], np.cumsum(over))), rate, starts, float(levels * level_s), allowed)


def _evidence(sums: NDArray[np.int64], rate: int, levels: NDArray[np.int64], run_s: float, allowed: float) -> bool:
    """Is any stretch so much over that the rule would look closer? sums: of requests over, at the seconds' edges."""
    c = assumed_for(run_s, allowed)
    size = max(1, round(c.block_s))
    end = np.arange(len(sums))
    midway = np.arange(0, len(sums) - 1, size if c.block_s == size else 1)
    limit = -math.log(ALPHA)
    restarts = max(1.0, (run_s - c.midway_s) // c.block_s)
    # Of the blocks that end with a second, one every `size` seconds back: how many were over, up to it.
    bad = np.zeros(len(sums), np.int64)
    for e in range(size, len(sums)):
        bad[e] = bad[e - size] + (sums[e] - sums[e - size] > allowed * rate * size)
    for first, least_s, nats in (
        (levels, c.worst_s + c.rest_s, limit + math.log(2)),
        (midway, c.midway_s, limit + math.log(4 * restarts)),
    ):
        length = end - first[:, None]
        n, over = np.maximum(length, 1) * rate, sums - sums[first][:, None]
        possible = (length >= least_s - 1e-6) & (over > allowed * n)
        if first is midway:
            blocks = np.maximum(length // size, 1)
            back = np.maximum(end - blocks * size, 0)
            possible &= bad - bad[back] >= MIDWAY_BLOCKS * blocks - 1e-9
        share = np.where(possible, over / n, allowed)
        rest = np.log(np.maximum(1 - share, 1e-300) / (1 - allowed))
        possible &= n * (share * np.log(share / allowed) + (1 - share) * rest) >= nats
        for f, e in zip(*np.nonzero(possible), strict=True):
            number = int(np.searchsorted(levels, e - 1, "right"))
            if _without_worst(sums[first[f] : e + 1], rate, c.level_delay_s(number), c, allowed):
                return True
    return False


def _without_worst(sums: NDArray[np.int64], rate: int, delay_s: float, c: Assumed, allowed: float) -> bool:
    length = len(sums) - 1
    worst_s = min(c.worst_most_s, max(c.worst_s + delay_s, WORST_SHARE * length))
    size = min(length, max(1, round(worst_s)))
    worst = (sums[size:] - sums[:-size]).max()
    return bool(sums[-1] - sums[0] - worst > REST_TIMES * allowed * rate * (length - size))
