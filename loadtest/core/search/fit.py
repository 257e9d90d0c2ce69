"""Where does the share over a limit cross what is allowed? A line through the logits near it, and Fieller's interval.

Near the capacity the logit of the share over the limit is a straight line in the logarithm of the load to a good
approximation: a = logit(share), x = log(load), a = A + B x. All that was seen near the crossing is one sample of it,
worth more than the two levels that an interval's ends would be tested at. The crossing's interval is the set of loads
whose band holds the allowed share (Fieller 1954), which is right for a ratio, and unbounded where B is not known to be
above 0.

Requests over a limit come together. Blocks of windows are what is independent: by how much their counts at the same
load differ more than those of independent requests would, so many requests are one event (the design effect; Kish
1965), and the line is drawn through numbers of events, with Student's t for the number of blocks. Where the line does
not fit (its squared residuals are four times what they should be), the load that lies farthest from the crossing is
left out, and so on: a step of the latency is no line, and what is left is the neighbourhood of the crossing. No clock,
no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.core.stats.clusters import Floats
from loadtest.core.stats.student import student

__all__ = ["MOST", "Crossing", "crossing", "fieller", "reach"]

STEPS = 30
LEAST_FREEDOM = 6
MOST = 1e12  # a load that is none
MISFIT = 4.0  # of the squared residuals per freedom: loads that are no line's are left out
PRIOR = 0.5  # requests over, and not over, that each load is given: a line exists where a load had none (Firth's way)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Loads. low, high: 0 and infinity where the interval is open. slope: B. freedom: blocks less two."""

    load: float
    low: float
    high: float
    slope: float
    freedom: int


def crossing(load: Floats, n: Floats, over: Floats, event: Floats, allowed: float, z: float) -> Crossing | None:
    """All by block, shape (blocks,). event: requests that one event lasts at the block's load, at least.

    z: the interval's quantile of the normal distribution. None: fewer than two loads or six blocks more, or no rise.
    """
    found: Crossing | None = None
    while True:
        line = _fitted(load, n, over, event, allowed, z)
        if line is None or (found and line[0].high > MOST):
            return found  # fewer loads tell less: the line that does not fit, with what that costs
        found, misfit, loads = line
        if loads.size == 2 or misfit <= MISFIT * (loads.size - 2):
            return found
        keep = load != loads[int(np.argmax(np.abs(np.log(loads / found.load))))]
        load, n, over, event = load[keep], n[keep], over[keep], event[keep]


def _fitted(
    load: Floats, n: Floats, over: Floats, event: Floats, allowed: float, z: float
) -> tuple[Crossing, float, Floats] | None:
    """(where the line through all of it crosses, its squared residuals in standard errors, the loads)."""
    target = math.log(allowed / (1 - allowed))
    loads, at = np.unique(load, return_inverse=True)
    freedom = len(load) - len(loads)
    if len(loads) < 2 or freedom < LEAST_FREEDOM:
        return None
    n_, over_ = _sums(at, n), _sums(at, over)
    shares = (over_ + PRIOR) / (n_ + 2 * PRIOR)
    independent = float((n_ * shares * (1 - shares)).sum())
    effect = float(((over - n * (over_ / n_)[at]) ** 2).sum()) / independent * len(load) / freedom
    effects = np.maximum(np.maximum(effect, np.bincount(at, event) / np.bincount(at)), 1.0)
    n_, over_ = n_ / effects + 2 * PRIOR / len(loads), over_ / effects + PRIOR / len(loads)  # in events
    middle = float(np.average(np.log(loads), weights=n_))
    scale = float(np.sqrt(np.average((np.log(loads) - middle) ** 2, weights=n_)))
    x = np.stack([np.ones(len(loads)), (np.log(loads) - middle) / scale], axis=1)
    beta, information, share = _line(x, n_, over_, target)
    if beta[1] <= 0:
        return None
    root = middle + scale * (target - beta[0]) / beta[1]
    misfit = float(((over_ - n_ * share) ** 2 / (n_ * share * (1 - share) + 1e-9)).sum())
    covariance = max(1.0, misfit / max(len(loads) - 2, 1)) * np.linalg.inv(information)
    low, high = fieller(beta - np.array([target, 0.0]), covariance, student(z, freedom))
    ends = [math.exp(min(each, 700.0)) for each in (root, middle + scale * low, middle + scale * high)]
    return Crossing(ends[0], ends[1], ends[2], float(beta[1]) / scale, freedom), misfit, loads


def reach(load: Floats, per_s: Floats, weight: Floats, wanted_per_s: float, z: float) -> Crossing | None:
    """Where the throughput reaches `wanted_per_s`: a line through its logarithm. All by block, shape (blocks,).

    None: fewer than two loads or six blocks more, or it does not grow.
    """
    loads = np.unique(load)
    freedom = len(load) - len(loads)
    if len(loads) < 2 or freedom < LEAST_FREEDOM or per_s.min() <= 0:
        return None
    middle = float(np.average(np.log(load), weights=weight))
    x = np.stack([np.ones(len(load)), np.log(load) - middle], axis=1)
    y = np.log(per_s) - math.log(wanted_per_s)
    inverse = np.linalg.inv((x * weight[:, None]).T @ x)
    beta = inverse @ (x.T @ (weight * y))
    if beta[1] <= 0:
        return None
    scores = x * (weight * (y - x @ beta))[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * len(load) / freedom
    low, high = fieller(beta, covariance, student(z, freedom))
    ends = [math.exp(min(middle + each, 700.0)) for each in (-beta[0] / beta[1], low, high)]
    return Crossing(ends[0], ends[1], ends[2], float(beta[1]), freedom)


def _sums(at: NDArray[np.int64], values: Floats) -> Floats:
    return np.bincount(at, values).astype(np.float64)


def _line(x: Floats, n: Floats, over: Floats, target: float) -> tuple[Floats, Floats, Floats]:
    """(coefficients, information, share by load) of the logistic regression."""
    beta = np.array([target, 1.0])
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        information = (x * (n * share * (1 - share))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, x.T @ (over - n * share))
        beta = beta + np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-7:
            break
    return beta, information, share


def fieller(beta: NDArray[Any], covariance: NDArray[Any], t: float) -> tuple[float, float]:
    """(low, high) of -beta[0] / beta[1], infinite where it is open."""
    a = beta[1] ** 2 - t * t * covariance[1, 1]
    b = beta[0] * beta[1] - t * t * covariance[0, 1]
    c = beta[0] ** 2 - t * t * covariance[0, 0]
    inside = b * b - a * c
    if a <= 0 or inside < 0:
        return -math.inf, math.inf
    return float((-b - math.sqrt(inside)) / a), float((-b + math.sqrt(inside)) / a)
