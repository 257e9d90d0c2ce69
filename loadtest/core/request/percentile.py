"""Percentiles as the API names them: P95, P99, and the finer ones that only the relaxed profile takes."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["percentile_of"]

_NAME = re.compile(r"P([0-9]{1,2}(\.[0-9]{1,4})?)", re.ASCII)


def percentile_of(name: str) -> float | None:
    """The share that a name stands for: P99.9 is 0.999. None: no name of a percentile above 0 and below 100."""
    match = _NAME.fullmatch(name)
    # Decimal, since 99.9 / 100 is not the float 0.999.
    share = float(Decimal(match[1]) / 100) if match else 0.0
    return share or None
