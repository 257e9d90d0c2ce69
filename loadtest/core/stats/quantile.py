"""Student's t quantiles far out in the tail, where many rows share one error probability. No clock, no I/O.

P(T > t) = I_x(f / 2, 1 / 2) / 2 with x = f / (f + t^2), for f degrees of freedom (DLMF 8.17; Abramowitz and Stegun
26.7.1), solved for t by bisection: expansions around the normal quantile are off by tens of per cent out there.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from loadtest.core.stats.evidence import log_beta_ratio

__all__ = ["t_quantile"]

NORMAL_FROM = 1e5  # degrees of freedom
HIGHEST = 1e6


@lru_cache(maxsize=4096)
def t_quantile(tail: float, freedom: float) -> float:
    """t that a T with `freedom` degrees exceeds with probability `tail`, 0 < tail < 0.5; infinite below one degree."""
    if not 0 < tail < 0.5:
        raise ValueError(f"a tail lies in 0..0.5, got {tail}")
    if freedom < 1:
        return math.inf
    if freedom >= NORMAL_FROM:
        return -NormalDist().inv_cdf(tail)
    low, high = 0.0, 4.0
    while _log_tail(high, freedom) > math.log(tail) and high < HIGHEST:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _log_tail(middle, freedom) > math.log(tail) else (low, middle)
    return high


def _log_tail(t: float, freedom: float) -> float:
    if t <= 0:
        return math.log(0.5)
    return math.log(0.5) + log_beta_ratio(freedom / 2, 0.5, freedom / (freedom + t * t))
