"""How throughput grows with users: the knee, the Universal Scalability Law, and the point to operate at.

    knee    X(N) = a min(N, K): straight up to K users, level beyond. In a closed loop without think time K is the
            number of requests that are served at once (the asymptotic bounds of operational analysis).
    USL     X(N) = g N / (1 + s (N - 1) + k N (N - 1)): contention s (sigma) and crosstalk k (kappa) bend the line; with
            k > 0 it has a peak at N = sqrt((1 - s) / k). Divided into N it is linear in 1/g, s/g and k/g:
            N / X = 1/g + s/g (N - 1) + k/g N (N - 1), so it is fitted by weighted linear least squares, with s, k >= 0.
    power   the measured level with the highest X / R, throughput over latency (Kleinrock): more users gain less in
            throughput than they cost in latency.

Units: users, requests per second, seconds. Uncertainty by a parametric bootstrap: the levels' throughputs are redrawn
from their standard errors and fitted again. Extrapolating beyond the measured users is a guess, and said to be one.
Sources: Denning and Buzen (1978); Gunther, "Guerrilla Capacity Planning" (2007); Kleinrock (1979). No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from loadtest.core.rates import LevelRate

__all__ = ["Usl", "knee_users", "operating_point", "usl"]

USL_LEVELS = 6  # fewer leave three parameters to chance (Gunther)
DRAWS = 200
FLOOR = 0.01  # a throughput is not known better than to 1 %, whatever its windows say
GRID = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Usl:
    """A fit. *_low, *_high: 90 % bootstrap interval. peak_*: None: no peak (kappa is 0).

    extrapolated: the peak lies beyond the users that were measured.
    """

    gamma_per_s: float
    sigma: float
    kappa: float
    sigma_low: float
    sigma_high: float
    kappa_low: float
    kappa_high: float
    peak_users: float | None
    peak_per_s: float | None
    peak_users_low: float | None
    peak_users_high: float | None
    extrapolated: bool

    def rate_per_s(self, users: float) -> float:
        """Predicted throughput."""
        return self.gamma_per_s * users / (1 + self.sigma * (users - 1) + self.kappa * users * (users - 1))


def knee_users(rates: Sequence[LevelRate]) -> float | None:
    """K of the broken line; None: fewer than three levels, or throughput still grows at the last one."""
    if len(rates) < 3:
        return None
    users, measured, weights = _arrays(rates)
    ends = np.linspace(users[0], users[-1], GRID)
    model = np.minimum(users, ends[:, None])
    slope = (weights * measured * model).sum(axis=1) / (weights * model**2).sum(axis=1)
    misfit = (weights * (measured - slope[:, None] * model) ** 2).sum(axis=1)
    best = int(np.argmin(misfit))
    # Beyond the last level but one a broken line and a straight one differ by a single point.
    return None if ends[best] >= users[-2] else float(ends[best])


def operating_point(rates: Sequence[LevelRate]) -> LevelRate | None:
    """The level with the highest throughput over latency; None without a success."""
    served = [rate for rate in rates if rate.latency_s > 0]
    return max(served, key=lambda rate: rate.per_s / rate.latency_s, default=None)


def usl(rates: Sequence[LevelRate], seed: int = 1) -> Usl | None:
    """The fit; None with fewer than six levels with throughput. seed: of the bootstrap."""
    rates = [rate for rate in rates if rate.per_s > 0 and rate.users > 0]
    if len(rates) < USL_LEVELS:
        return None
    users, measured, weights = _arrays(rates)
    gamma, sigma, kappa = _fit(users, measured, weights)
    draw = np.random.default_rng(seed)
    drawn = [
        _fit(users, np.maximum(measured + draw.standard_normal(len(users)) / np.sqrt(weights), 1e-9), weights)
        for _ in range(DRAWS)
    ]
    sigmas, kappas = (np.array([found[i] for found in drawn]) for i in (1, 2))
    peaks = [peak for _, s, k in drawn if (peak := _peak(s, k)) is not None]
    certain = len(peaks) >= 0.95 * DRAWS
    peak = _peak(sigma, kappa)
    result = Usl(
        gamma_per_s=gamma,
        sigma=sigma,
        kappa=kappa,
        sigma_low=float(np.quantile(sigmas, 0.05)),
        sigma_high=float(np.quantile(sigmas, 0.95)),
        kappa_low=float(np.quantile(kappas, 0.05)),
        kappa_high=float(np.quantile(kappas, 0.95)),
        peak_users=peak,
        peak_per_s=None,
        peak_users_low=float(np.quantile(peaks, 0.05)) if peaks else None,
        peak_users_high=float(np.quantile(peaks, 0.95)) if certain else None,
        extrapolated=peak is not None and peak > users[-1],
    )
    return result if peak is None else replace(result, peak_per_s=result.rate_per_s(peak))


def _arrays(rates: Sequence[LevelRate]) -> tuple[Floats, Floats, Floats]:
    """(users, throughput, weight = 1 / variance)."""
    users = np.array([rate.users for rate in rates])
    measured = np.array([rate.per_s for rate in rates])
    error = np.hypot(np.array([rate.error_per_s for rate in rates]), FLOOR * np.maximum(measured, 1e-9))
    return users, measured, 1 / error**2


def _fit(users: Floats, measured: Floats, weights: Floats) -> tuple[float, float, float]:
    """(gamma, sigma, kappa) with sigma, kappa >= 0: the best of the fits with either or both left out."""
    columns = np.stack([np.ones_like(users), users - 1, users * (users - 1)])
    target = users / measured
    # N / X has the relative error of X.
    scale = np.sqrt(weights) * measured / target
    best, best_misfit = np.array([float(target.mean()), 0.0, 0.0]), math.inf
    for kept in (used for size in (3, 2, 1) for used in combinations(range(3), size) if 0 in used):
        part = columns[list(kept)]
        found, *_ = np.linalg.lstsq((part * scale).T, target * scale, rcond=None)
        misfit = float((((found @ part) - target) * scale) @ (((found @ part) - target) * scale))
        if found[0] > 0 and (found[1:] >= 0).all() and misfit < best_misfit:
            best, best_misfit = np.zeros(3), misfit
            best[list(kept)] = found
    return 1 / float(best[0]), float(best[1] / best[0]), float(best[2] / best[0])


def _peak(sigma: float, kappa: float) -> float | None:
    return math.sqrt((1 - sigma) / kappa) if kappa > 0 and sigma < 1 else None
