"""From what was seen at several loads to where a criterion is crossed: blocks, and how sure an interval must be.

Windows of one visit that follow each other are one block, a thirtieth of the time near the capacity and at least three
windows long; by rate at least twelve, since a backlog lasts: for how long, the windows' mean latencies say where
saturation is not known (`decay.py`).

An interval errs on two sides. By users the capacity is whole, and an interval of whole numbers narrower than one user
can err on one side only: its quantile lies between the one-sided and the two-sided one. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np

from loadtest.core.request.search import By
from loadtest.core.search.decay import decay
from loadtest.core.search.fit import Crossing, crossing, reach
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Criterion
from loadtest.core.search.saturation import Saturation
from loadtest.core.stats.clusters import Floats

__all__ = ["line"]

BLOCK = {"users": 3, "rate": 12}  # windows, at least
LEAST_BLOCKS, MOST_BLOCKS = 10, 30.0
STRETCH = 1.1  # of the quantile: a search ends when its interval is narrow, which it is by luck, too
BENT = 1.15  # of the quantile: by rate the line is one to an approximation only


def line(
    i: int,
    criterion: Criterion,
    near: Sequence[Level],
    since: int,
    by: By,
    alpha: float,
    before: Crossing | None,
    top: Saturation | None = None,
) -> Crossing | None:
    """Where the i-th criterion is crossed, with an error of alpha. since: the first visit that counts.

    before: the last answer; None: there is none. top: by rate, where saturation is; None: it is not known. None: fewer
    than ten blocks, or no line goes through them.
    """
    load, n, over, per_s, length_s = _blocks(i, near, since, by)
    if len(load) < (LEAST_BLOCKS if top is None else 2):
        return None
    z = _quantile(1 - alpha / 2) if by == "rate" or before is None else _whole(before, alpha)
    if criterion.per_s is not None:
        return reach(load, per_s, length_s, criterion.per_s, STRETCH * z)
    event = np.ones(len(load))
    if by == "rate":
        windows = [len(x.readings) for x in near]
        event = n / length_s * float(np.average([x.memory_s for x in near], weights=windows))
    if top is not None and criterion.limit_ms is not None:
        return decay(load, n, over, top, top.floor(i), criterion.allowed, BENT * z)
    return crossing(load, n, over, np.maximum(event, 1.0), criterion.allowed, STRETCH * z)


def _blocks(i: int, near: Sequence[Level], since: int, by: By) -> tuple[Floats, ...]:
    """(load, requests, those over, successes a second, s), each of shape (blocks,)."""
    size = max(BLOCK[by], round(sum(len(x.readings) for x in near) / MOST_BLOCKS))
    rows: list[list[float]] = []
    for level in near:
        for _, same in groupby(zip(level.visits, level.readings, strict=True), key=lambda each: each[0]):
            visit = [reading for number, reading in same if number >= since]
            parts = max(1, len(visit) // size)
            ends = [len(visit) * k // parts for k in range(parts + 1)]
            for first, end in pairwise(ends if visit else []):
                of = visit[first:end]
                length_s = sum(r.end_s - r.start_s for r in of)
                rows.append(
                    [level.load, sum(r.n for r in of), sum(r.over[i] for r in of), sum(r.ok for r in of), length_s]
                )
    load, n, over, ok, span_s = np.array(rows, np.float64).reshape(-1, 5).T
    return load, n, over, ok / np.maximum(span_s, 1e-9), span_s


def _whole(before: Crossing, alpha: float) -> float:
    """The quantile for whole numbers, given how wide the last interval was."""
    two = _quantile(1 - alpha / 2)
    if before.high > 1e12:
        return two
    error = max((before.high - before.low) / (2 * two), 1e-9)
    low, high = _quantile(1 - alpha), two
    for _ in range(30):
        z = (low + high) / 2
        low, high = (z, high) if _beyond(z) + _beyond(z + 1 / error) > alpha else (low, z)
    return high


def _beyond(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _quantile(share: float) -> float:
    """Of the normal distribution, by bisection."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - _beyond(middle) < share else (low, middle)
    return (low + high) / 2
