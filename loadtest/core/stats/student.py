"""Student's t, for intervals of means whose variance was estimated. No clock, no I/O.

Sources: Hill, CACM algorithm 396 (1970); Abramowitz and Stegun 26.7.5.
"""

from __future__ import annotations

import math

__all__ = ["Z_99", "Z_975", "student"]

Z_975 = 1.959963984540054
Z_99 = 2.3263478740408408


def student(z: float, freedom: float) -> float:
    """Student's t quantile of the normal quantile z: exact for one and two degrees of freedom, an expansion above (1 %
    off at three)."""
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
