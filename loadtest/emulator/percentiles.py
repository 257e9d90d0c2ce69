"""Percentiles and counts as CloudWatch has them: names of statistics, and values with how often each occurred. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

__all__ = ["Pair", "at_rank", "counted_between", "is_known", "percent_of", "statistic_of"]

Pair = tuple[float, float]
"""A value, and how often it occurred."""

_COUNT = re.compile(r"TC\((\d*(?:\.\d+)?):(\d*(?:\.\d+)?)\)")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


def percent_of(statistic: str) -> float | None:
    """99.9 of `p99.9`; None: it is another statistic's name."""
    named = _PERCENTILE.fullmatch(statistic)
    return None if named is None else float(named[1])


def counted_between(statistic: str) -> tuple[float, float] | None:
    """(above, at most) of a trimmed count by values: `TC(:300)`, `TC(100:)`; None: it is another statistic's name."""
    named = _COUNT.fullmatch(statistic)
    if named is None or not any(named.groups()):
        return None
    return float(named[1] or -math.inf), float(named[2] or math.inf)


def is_known(statistic: str) -> bool:
    """It is one of an extended kind that is emulated."""
    return percent_of(statistic) is not None or counted_between(statistic) is not None


def statistic_of(pairs: Sequence[Pair], statistic: str) -> float | None:
    """The value of an extended statistic; None: there are no samples, or `is_known` does not hold."""
    percent, between = percent_of(statistic), counted_between(statistic)
    if percent is not None:
        return at_rank(pairs, percent)
    if between is None or not pairs:
        return None
    above, most = between
    return math.fsum(count for value, count in pairs if above < value <= most)


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
