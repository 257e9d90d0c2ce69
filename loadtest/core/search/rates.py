"""Successes a second at the loads that were held, and what follows from them. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from loadtest.core.search.level import Level

__all__ = ["knee", "per_min", "rates_of"]

FLAT = 0.97  # of the highest throughput


def rates_of(levels: Iterable[Level], passed: Mapping[float, float]) -> list[tuple[float, float]]:
    """(load, successes a second) in the order of loads. passed: those of loads that were left at once."""
    held = {x.load: rate for x in levels if (rate := x.rate_per_s) is not None}
    return sorted({**passed, **held}.items())


def per_min(load: float | None, rates: Sequence[tuple[float, float]]) -> float | None:
    """Successes a minute at a load, between the neighbours that were held."""
    if load is None or not rates:
        return None
    return 60 * float(np.interp(load, [x for x, _ in rates], [rate for _, rate in rates]))


def knee(rates: Sequence[tuple[float, float]]) -> float | None:
    """The first load from which on throughput no longer grows; None: it was not reached."""
    top = max((rate for _, rate in rates), default=0.0)
    first = next((x for x, rate in rates if rate >= FLAT * top), None)
    return first if rates and first != rates[-1][0] else None
