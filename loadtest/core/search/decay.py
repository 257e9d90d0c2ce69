"""By rate: where does the share over a limit cross what is allowed? It decays with the distance from saturation.

Near saturation an open queue's waiting times have an exponential tail, whose decay grows in proportion to what is left
of the capacity to serve (Kingman 1962): log(share) = -b (s - load), with s the load from which on the backlog grows
without end, where the share is 1. s is measured by itself (`saturation.py`), with an error; it is one more point of
the line through the logarithms of the shares, far to one side, and leaves the loads near the crossing only b to tell.

Requests over a limit come in spells. How long one lasts grows with the square of 1 / (1 - load / s) (relaxation time in
heavy traffic); by how much counts of blocks differ more than independent requests would tells the factor. A spell is
one event, and counts of events are Poisson. No clock, no I/O.
"""

from __future__ import annotations

import math

import numpy as np

from loadtest.core.search.fit import MOST, Crossing, fieller
from loadtest.core.search.saturation import Saturation
from loadtest.core.stats.clusters import Floats
from loadtest.core.stats.student import student

__all__ = ["decay"]

STEPS = 40
LEAST_FREEDOM = 6
NEARLY = 0.985  # of saturation: a load above it does not settle in a visit
BENT = 0.1  # nats that the line may be off at saturation


def decay(
    load: Floats, n: Floats, over: Floats, event: Floats, top: Saturation, base: float, allowed: float, z: float
) -> Crossing | None:
    """As `crossing`, of blocks; None: too few below saturation, or no rise."""
    below = load < NEARLY * top.per_s
    load, n, over, event = load[below], n[below], over[below], event[below]
    loads, at = np.unique(load, return_inverse=True)
    freedom = len(load) - len(loads)
    if not over.sum():
        return None
    n_, over_ = np.bincount(at, n), np.bincount(at, over)
    left = 1 - loads / top.per_s
    shares = over_ / n_
    own = ((over - n * (over_ / n_)[at]) ** 2 * (left**2)[at]).sum() / max(freedom, 1) * len(load)
    factor = own / max((n_ * shares * (1 - shares)).sum(), 1e-9)
    effects = np.maximum(np.maximum(factor / left**2, np.bincount(at, event) / np.bincount(at)), 1.0)
    n_, over_ = n_ * (1 - base) / effects, np.maximum(over_ - base * n_, 0.0) / effects
    if not over_.sum():
        return None
    line = _line(loads / top.per_s, n_, over_, top.error / top.per_s)
    if line is None:
        return None
    beta, covariance = line
    target = math.log((allowed - base) / (1 - base))
    low, high = fieller(beta - np.array([target, 0.0]), covariance, student(z, max(freedom, 3)))
    if freedom < LEAST_FREEDOM:
        low, high = -math.inf, math.inf
    root = (target - beta[0]) / beta[1]
    ends = [top.per_s * each if math.isfinite(each) else each for each in (1 + root, 1 + low, 1 + high)]
    return Crossing(ends[0], max(ends[1], 0.0), min(ends[2], 10 * MOST), float(beta[1]), freedom)


def _line(share_of_top: Floats, n: Floats, over: Floats, error: float) -> tuple[Floats, Floats] | None:
    """(log share at saturation, its rise with the load as a part of it), covariance; None: it does not rise."""
    x = np.stack([np.ones(len(n)), share_of_top - 1], axis=1)
    beta = np.array([0.0, 30.0])
    for _ in range(STEPS):
        mean = n * np.exp(np.clip(x @ beta, -30, 0.5))
        anchor = 1 / ((beta[1] * error) ** 2 + BENT**2)
        information = (x * mean[:, None]).T @ x + np.diag([anchor, 1e-9])
        step = np.linalg.solve(information, x.T @ (over - mean) - np.array([anchor * beta[0], 0.0]))
        beta = beta + np.clip(step, [-1, -10], [1, 10])
        beta[1] = max(beta[1], 1.0)
        if np.abs(step).max() < 1e-6:
            break
    if beta[1] <= 1.0:
        return None
    misfit = ((over - mean) ** 2 / (mean + 1e-9)).sum() + anchor * beta[0] ** 2
    return beta, np.linalg.inv(information) * max(1.0, float(misfit) / max(len(n) - 1, 1))
