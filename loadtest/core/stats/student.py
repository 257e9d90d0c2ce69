"""Quantiles for means whose variance is estimated too.

Sources: Welch (1947) for the degrees of freedom; Hill, CACM algorithm 396 (1970), Abramowitz and Stegun 26.7.5 for
Student's t. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["freedom_of", "student"]


def freedom_of(parts: Sequence[tuple[float, int]]) -> float:
    """Degrees of freedom of a sum of estimated variances, given as (variance, its freedom) (Welch, Satterthwaite)."""
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts) if total else math.inf


def student(z: float, freedom: float) -> float:
    """Student's t quantile of the normal quantile z: exact for one and two degrees, an expansion above (1 % off at
    three)."""
    share = math.erf(z / math.sqrt(2))
    if freedom < 2:
        return math.tan(math.pi * share / 2)
    if freedom < 3:
        return share * math.sqrt(2 / (1 - share**2))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom ** (i + 1) for i, term in enumerate(terms))
