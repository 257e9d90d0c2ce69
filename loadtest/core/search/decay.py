"""By rate: where does the share over a limit cross what is allowed? It decays with the distance from saturation.

Near saturation an open queue's waiting times have an exponential tail, whose decay grows in proportion to what is left
of the capacity to serve (Kingman 1962): log(share) = -b (s - load), with s the load from which on the backlog grows
without end, where the share is 1. s is measured by itself (`saturation.py`), with an error; it is one more point of
the line through the logarithms of the shares, far to one side, and leaves the loads near the crossing only b to tell.

Requests over a limit come in spells. How long one lasts grows with the square of 1 / (1 - load / s) (relaxation time in
heavy traffic); by how much counts of blocks differ more than independent requests would tells the factor. A spell is
one event, and counts of events are Poisson. The interval is that of the profile of their likelihood, since few events
lie on both sides of their mean unevenly; a slope that nothing tells is one of those that were met.

What is over the limit where nobody waits (service times alone) is taken off, and what is allowed is that much less.
Sources: Kingman, JRSS B 24 (1962); Wilks (1938), profiles. No clock, no I/O.
"""

from __future__ import annotations

import math

import numpy as np

from loadtest.core.search.fit import MOST, Crossing
from loadtest.core.search.saturation import Saturation
from loadtest.core.stats.clusters import Floats
from loadtest.core.stats.student import student

__all__ = ["decay"]

ROOTS = np.arange(-0.5, 0.03, 0.0005)  # of the crossing, from saturation, as a part of it
SLOPES = np.geomspace(4, 500, 70)
USUAL, SPREAD = 50.0, 1.2  # slopes that were met, and their logarithm's spread
EFFECT, EFFECT_FREEDOM = 3.0, 4.0  # of that factor before it is seen, and how many degrees that weighs
LEAST_FREEDOM = 6
NEARLY = 0.99  # of saturation: a load above it does not settle in a visit
BENT = 0.1  # nats that the line may be off at saturation


def decay(
    load: Floats, n: Floats, over: Floats, top: Saturation, base: float, allowed: float, z: float
) -> Crossing | None:
    """All by block, shape (blocks,); loads are requests a second. top: where the share is 1. base: without a queue.

    z: the interval's quantile of the normal distribution. None: nothing below saturation, or nothing over the limit.
    """
    below = load < NEARLY * top.per_s
    load, n, over = load[below], n[below], over[below]
    loads, at = np.unique(load, return_inverse=True)
    freedom = len(load) - len(loads)
    if not over.sum() or not len(loads):
        return None
    n_, over_ = np.bincount(at, n), np.bincount(at, over)
    left = 1 - loads / top.per_s
    shares = over_ / n_
    own = ((over - n * (over_ / n_)[at]) ** 2 * (left**2)[at]).sum() / max(freedom, 1) * len(load)
    factor = own / max((n_ * shares * (1 - shares)).sum(), 1e-9)
    factor = (factor * freedom + EFFECT * EFFECT_FREEDOM) / (freedom + EFFECT_FREEDOM)
    effects = np.maximum(factor / left**2, 1.0)
    n_, over_ = n_ * (1 - base) / effects, np.maximum(over_ - base * n_, 0.0) / effects
    target, t = math.log((allowed - base) / (1 - base)), student(z, max(freedom, 3))
    low, root, high, slope = _profile(-left, n_, over_, top.error / top.per_s, target, t)
    if freedom < LEAST_FREEDOM or low <= ROOTS[0]:
        low, high = -1.0, math.inf
    ends = [top.per_s * (1 + each) for each in (root, low, high)]
    return Crossing(ends[0], ends[1], min(ends[2], 10 * MOST), slope, freedom)


def _profile(x: Floats, n: Floats, over: Floats, error: float, target: float, t: float) -> tuple[float, ...]:
    """(low, likeliest, high) of where the line crosses `target`, its slope: the profile of the likelihood."""
    lines = np.minimum(target + SLOPES[None, :, None] * (x[None, None, :] - ROOTS[:, None, None]), 0.0)
    at_top = target - SLOPES[None, :] * ROOTS[:, None]
    off = at_top**2 / ((SLOPES * error) ** 2 + BENT**2)[None, :]
    logs = (over * lines - n * np.exp(lines)).sum(axis=2) - off / 2 - (np.log(SLOPES / USUAL) / SPREAD) ** 2 / 2
    profile = logs.max(axis=1)
    best = int(np.argmax(profile))
    at = int(np.argmax(logs[best]))
    mean = n * np.exp(lines[best, at])
    misfit = float(((over - mean) ** 2 / (mean + 1e-9)).sum() + off[best, at]) / max(len(n) - 1, 1)
    inside = ROOTS[2 * (profile[best] - profile) <= t * t * max(1.0, misfit)]
    return float(inside[0]), float(ROOTS[best]), float(inside[-1]), float(SLOPES[at])
