"""Where does the share over a limit cross what is allowed? A line through the logits near it, and Fieller's interval.

Near the capacity the logit of the share over a limit is a straight line in the logarithm of the load to a good
approximation: a = logit(share), x = log(load), a = A + B x. All windows near the crossing are one sample of it, worth
more than the two levels that an interval's ends would be tested at. The crossing's interval is the set of loads
whose band holds the allowed share (Fieller 1954), which is right for a ratio, and unbounded where B is not known to be
above 0. Windows of one visit are not independent: they are joined to blocks, and the variance is that between the
blocks' scores (Liang, Zeger 1986: the sandwich), with Student's t for their number. No clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loadtest.core.stats.clusters import Floats
from loadtest.core.stats.student import student

__all__ = ["Crossing", "crossing"]

STEPS = 30
PRIOR = 0.5  # requests over, and not over, that each load is given: a line exists where a load had none (Firth's way)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Loads. low, high: 0 and infinity where the interval is open. slope: B. freedom: blocks less two."""

    load: float
    low: float
    high: float
    slope: float
    freedom: int


def crossing(load: Floats, n: Floats, over: Floats, block: Floats, allowed: float, z: float) -> Crossing | None:
    """All by window, shape (windows,). block: number of the block that a window belongs to, each of one load.

    z: the interval's quantile of the normal distribution. None: fewer than two loads or five blocks, or no rise.
    """
    blocks, at = np.unique(block, return_inverse=True)
    loads, load_at = np.unique(load, return_inverse=True)
    if len(loads) < 2 or len(blocks) < 5:
        return None
    middle = float(np.average(np.log(load), weights=n))
    x = np.stack([np.ones_like(load), np.log(load) - middle], axis=1)
    each = np.bincount(load_at, n)[load_at]
    n_, over_ = n * (1 + 2 * PRIOR / each), over + PRIOR * n / each
    beta = np.array([math.log(allowed / (1 - allowed)), 1.0])
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        information = (x * (n_ * share * (1 - share))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, x.T @ (over_ - n_ * share))
        beta = beta + np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-7:
            break
    scores = np.zeros((len(blocks), 2))
    np.add.at(scores, at, x * (over_ - n_ * share)[:, None])
    inverse = np.linalg.inv(information)
    freedom = len(blocks) - 2
    covariance = inverse @ (scores.T @ scores) @ inverse * len(blocks) / freedom
    # Requests that are luckier than independent ones are not believed to be so.
    covariance = np.maximum(np.trace(covariance @ information) / 2, 1.0) * inverse
    if beta[1] <= 0:
        return None
    target = math.log(allowed / (1 - allowed))
    low, high = _fieller(beta - np.array([target, 0.0]), covariance, student(z, freedom))
    root = math.exp(min(middle + (target - beta[0]) / beta[1], 700.0))
    return Crossing(root, math.exp(middle + low), math.exp(min(middle + high, 700.0)), float(beta[1]), freedom)


def _fieller(beta: Floats, covariance: Floats, t: float) -> tuple[float, float]:
    """(low, high) of -beta[0] / beta[1], infinite where it is open."""
    a = beta[1] ** 2 - t * t * covariance[1, 1]
    b = beta[0] * beta[1] - t * t * covariance[0, 1]
    c = beta[0] ** 2 - t * t * covariance[0, 0]
    inside = b * b - a * c
    if a <= 0 or inside < 0:
        return -math.inf, math.inf
    return float((-b - math.sqrt(inside)) / a), float((-b + math.sqrt(inside)) / a)
