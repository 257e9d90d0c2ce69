"""Slow requests come together: how many independent events do they amount to, and where are the spells?

Counts are by window and slice of its time: `n` requests, `over` of them over a limit; float64, shape (windows, slices).
Sums over slices are all that enters, so it does not matter how many generators the requests came from.

    spell     neighbouring windows with at least (1 + share) / 2 over, and the two windows beside them: one event,
              however many requests it holds.
    DEFF      the design effect of the rest: variance between groups of g requests over that of independent ones, for
              g = 10, 20, 40, ... None of them above 1 beyond chance: 1. Else the largest, extrapolated to the whole
              stretch by its growth over the scales, if that is significant. Clustering that is weak but not nil at the
              smallest scale is presumed to grow with up to the power 0.6 = 2 H - 1 of the scale, since such clustering
              (long-range dependence, H = 0.8) has no visible end; a full one (DEFF near g) is a burst, whose end is.
    events    K = over^2 / (sum of squared spells + DEFF x rest): Kish's effective size.

Sources: Kish, "Survey Sampling" (1965), design effect; batch means as in Law, "Simulation Modeling and Analysis";
Beran, "Statistics for Long-Memory Processes" (1994), the variance of means over scales. No clock, no I/O.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "design_effect", "events", "spell_windows"]

Floats = NDArray[np.float64]

SATURATED = 0.9  # share over in a window through which nothing gets
GROUP = 10.0  # requests in the smallest group
GROUPS = 8  # the fewest that give a variance
FIRST_SIGMAS, ANY_SIGMAS, GROWTH_SIGMAS = 2.5, 2.33, 2.0  # beyond chance: at the smallest scale, at any, of the growth
PRESUMED_GROWTH = 0.6  # 2 H - 1
FULL = 5.4  # DEFF - 1 at groups of ten that is a burst's and no long memory's


def events(n: Floats, over: Floats) -> float | None:
    """K, the independent events that the requests over amount to, at most their number; None: too few to tell."""
    window_n, window_over = n.sum(axis=1), over.sum(axis=1)
    total = float(window_over.sum())
    if not total:
        return 0.0
    rest, squares = np.ones(len(n), np.bool_), 0.0
    for first, end in spell_windows(window_n, window_over):
        squares += float(window_over[first:end].sum()) ** 2
        rest[first:end] = False
    rest_over = float(window_over[rest].sum())
    if rest_over <= 0:
        return total * total / squares
    effect = design_effect(n[rest], over[rest])
    if effect is None:
        if rest.all():
            return None
        effect = max(GROUP, math.sqrt(squares))
    return total * total / (squares + effect * rest_over)


def spell_windows(n: Floats, over: Floats) -> list[tuple[int, int]]:
    """(first, end) of the spells, apart from each other. n, over: by window, shape (windows,).

    A single window is one only if hardly anything got through it.
    """
    total = float(n.sum())
    bar = (1 + float(over.sum()) / total) / 2 if total else 1.0
    # An empty window says nothing: it is as the one before.
    known = np.maximum.accumulate(np.where(n > 0, np.arange(len(n)), 0))
    hot = ((n > 0) & (over >= bar * n))[known]
    if not hot.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hot.astype(np.int8), [0]))))
    found: list[tuple[int, int]] = []
    for first, end in edges.reshape(-1, 2).tolist():
        if end - first >= 2 or over[first] >= SATURATED * n[first]:
            first, end = max(0, first - 1), min(len(n), end + 1)
            if found and first <= found[-1][1]:
                found[-1] = (found[-1][0], end)
            else:
                found.append((first, end))
    return found


def design_effect(n: Floats, over: Floats) -> float | None:
    """How many requests over make one event, at least 1; None: fewer than eight groups of ten requests."""
    scales = _variance_ratios(n, over)
    if scales is None:
        return 1.0
    if not len(scales):
        return None
    size, groups, ratio = scales.T
    noise = np.sqrt(2 / (groups - 1))
    if ratio[0] < 1 + FIRST_SIGMAS * noise[0] and (ratio < 1 + ANY_SIGMAS * noise).all():
        return 1.0
    at = int(np.argmax(ratio / (1 + noise)))
    best = max(1.0, float(ratio[at])) * float(groups[at]) / max(float(groups[at]) - 2, 1.0)
    growth = PRESUMED_GROWTH * (1 - min(1.0, (float(ratio[0]) - 1) / FULL))
    top = min(5, len(ratio))
    if top >= 3:
        x, y, weight = np.log(size[-top:]), np.log(np.maximum(ratio[-top:], 0.05)), (groups[-top:] - 1) / 2
        centred = x - (weight * x).sum() / weight.sum()
        spread = float((weight * centred**2).sum())
        slope = float((weight * centred * y).sum()) / spread
        if slope > GROWTH_SIGMAS / math.sqrt(spread):
            growth = max(growth, slope)
    return float(best * (float(n.sum()) / float(size[at])) ** min(max(growth, 0.0), 1.0))


def _variance_ratios(n: Floats, over: Floats) -> Floats | None:
    """Rows of (requests a group, groups, variance ratio); None: all or none of the requests are over."""
    total, total_over = float(n.sum()), float(over.sum())
    if not 0 < total_over < total:
        return None
    share = total_over / total
    sums, over_sums = np.cumsum(n), np.cumsum(over)
    found: list[tuple[float, float, float]] = []
    size = GROUP
    while total / size >= GROUPS:
        ends = np.unique(np.searchsorted(sums, np.arange(1, int(total / size + 1e-9) + 1) * size - 1e-9))
        group, group_over = np.diff(sums[ends], prepend=0.0), np.diff(over_sums[ends], prepend=0.0)
        if len(group) < GROUPS:
            break
        spread = float(((group_over - share * group) ** 2).sum()) / (share * (1 - share) * float(group.sum()))
        found.append((size, len(group), spread * len(group) / (len(group) - 1)))
        size *= 2
    return np.array(found, np.float64).reshape(-1, 3)
