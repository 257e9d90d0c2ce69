"""The best rate and the knee of a run, with how far they may be off. No clock, no I/O.

Both are made of all levels at once: the rate is the highest of the levels at which the latency condition held, the knee
the first level that no later one significantly exceeds. What they would have been in another run is drawn: each level's
throughput from its standard error, its share of requests over the threshold from its own. A level that may or may not
hold the condition makes some draws jump, which no standard error shows; so the interval reaches t standard deviations,
and at least as far as every draw.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), the parametric bootstrap.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loadtest.core.compare.dependence import Dependence
from loadtest.core.compare.figure import Figure
from loadtest.core.compare.sample import RunSample
from loadtest.core.stats.quantile import t_quantile
from loadtest.core.stats.scaling import knee_users

__all__ = ["best_figure", "knee_figure"]

DRAWS = 400
MISSING = 0.02  # of the draws may have no knee

Floats = NDArray[np.float64]


def best_figure(run: RunSample, dependence: Dependence, tail: float, seed: int) -> Figure | None:
    """ln of the highest level's successes per second, of those that hold the latency condition; None: none does."""
    levels = [level for level in run.levels.values() if level.has("throughput")]
    if not levels:
        return None
    rates = np.array([level.rate_per_s for level in levels])
    counts = np.array([float(level.ok.sum()) for level in levels])
    effects = np.array([dependence.effect(level.series("throughput")) for level in levels])
    errors = np.sqrt(np.maximum(effects * counts, 1.0)) / counts
    rng = np.random.default_rng([seed, 1])
    drawn = rates * np.maximum(1 + errors * rng.standard_normal((DRAWS, len(levels))), 1e-9)
    threshold = run.result.plan.stop.latency
    holds, drawn_holds = np.ones(len(levels), bool), np.ones((DRAWS, len(levels)), bool)
    if threshold is not None:
        series = [level.series("over the limit") for level in levels]
        completed = np.array([float(level.completed.sum()) for level in levels])
        shares = np.array([float(level.over.sum()) for level in levels]) / completed
        # Never surer than of independent requests, and of one more that is over.
        variances = [max(each.variance * dependence.growth, each.expected, 1.0) for each in series]
        spread = np.sqrt(np.array(variances)) / completed
        allowed = round(1 - threshold.percentile, 9)
        holds = shares <= allowed
        drawn_holds = shares + spread * rng.standard_normal(drawn.shape) <= allowed
    if not holds.any():
        return None
    values = np.where(drawn_holds, drawn, 0.0).max(axis=1)
    if not (values > 0).all():
        return Figure(math.log(float(rates[holds].max())), math.inf, math.inf)
    freedom = min(dependence.freedom, min(len(level.ok) for level in levels) - 1)
    return _figure(math.log(float(rates[holds].max())), np.log(values), t_quantile(tail, freedom))


def knee_figure(run: RunSample, dependence: Dependence, tail: float, seed: int) -> Figure | None:
    """ln of the users at the knee; None: none was found, or hardly."""
    knee = knee_users(run.rates)
    if knee is None:
        return None
    measured = np.array([rate.per_s for rate in run.rates])
    error = np.array([rate.error_per_s for rate in run.rates]) * math.sqrt(dependence.growth)
    noise = np.random.default_rng([seed, 2]).standard_normal((DRAWS, len(measured)))
    drawn = np.maximum(measured + error * noise, 1e-9).tolist()
    again = ([replace(rate, per_s=each) for rate, each in zip(run.rates, row, strict=True)] for row in drawn)
    known = np.array([found for rates in again if (found := knee_users(rates)) is not None])
    if len(known) < (1 - MISSING) * DRAWS:
        return None
    freedom = min(dependence.freedom, min(rate.freedom for rate in run.rates))
    return _figure(math.log(knee), np.log(known), t_quantile(tail, freedom))


def _figure(value: float, drawn: Floats, t: float) -> Figure:
    reach = t * float(drawn.std())
    return Figure(value, max(reach, value - float(drawn.min())), max(reach, float(drawn.max()) - value))
