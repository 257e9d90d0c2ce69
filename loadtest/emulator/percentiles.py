"""Percentiles as CloudWatch has them: names of statistics, and values with how often each occurred. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

__all__ = ["Pair", "at_rank", "percent_of"]

Pair = tuple[float, float]
"""A value, and how often it occurred."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


def percent_of(statistic: str) -> float | None:
    """99.9 of `p99.9`; None: it is another statistic's name."""
    named = _PERCENTILE.fullmatch(statistic)
    return None if named is None else float(named[1])


def at_rank(pairs: Sequence[Pair], percent: float) -> float | None:
    """The smallest value that at least `percent` % of all samples do not exceed; None without samples (S3)."""
    ordered = sorted(pairs)
    total = math.fsum(count for _, count in ordered)
    if not total:
        return None
    # The difference of a few ulps must not push a rank to the next sample.
    rank = math.ceil(percent / 100 * total - 1e-9)
    seen = 0.0
    for value, count in ordered:
        seen += count
        if seen >= rank:
            return value
    return ordered[-1][0]
