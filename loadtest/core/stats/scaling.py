"""How throughput grows with users: the knee, the Universal Scalability Law, and the point to operate at.

    knee    the first level that no later one significantly exceeds (stats/plateau.py). In a closed loop without think
            time that is the number of requests that are served at once (the asymptotic bounds of operational analysis).
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
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.core.stats.plateau import plateau_start
from loadtest.core.stats.rates import LevelRate, level_spread

__all__ = ["Usl", "knee_users", "operating_point", "scaling_facts", "usl", "usl_band"]

USL_LEVELS = 6  # fewer leave three parameters to chance (Gunther)
DRAWS = 200
FLOOR = 0.01  # a throughput is not known better than to 1 %, whatever its windows say

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
    """Users at the knee: of the first level that no later one significantly exceeds; None: fewer than three levels, or
    no plateau."""
    if len(rates) < 3:
        return None
    spread, _ = level_spread(rates)
    errors_per_s = [math.hypot(rate.error_per_s, max(spread, FLOOR) * rate.per_s) for rate in rates]
    start = plateau_start([(rate.users, rate.per_s) for rate in rates], errors_per_s)
    return None if start is None else rates[start].users


def operating_point(rates: Sequence[LevelRate]) -> LevelRate | None:
    """The level with the highest throughput over latency; None without a success."""
    served = [rate for rate in rates if rate.latency_s > 0]
    return max(served, key=lambda rate: rate.per_s / rate.latency_s, default=None)


def usl(rates: Sequence[LevelRate], seed: int = 1) -> Usl | None:
    """The fit; None with fewer than six levels with throughput. seed: of the bootstrap."""
    rates = [rate for rate in rates if rate.per_s > 0 and rate.users > 0]
    if len(rates) < USL_LEVELS:
        return None
    users, _, _ = _arrays(rates)
    (gamma, sigma, kappa), *drawn = _drawn(rates, seed)
    sigmas, kappas = (np.array([found[i] for found in drawn]) for i in (1, 2))
    peaks = [found for _, s, k in drawn if (found := _peak(s, k)) is not None]
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
        extrapolated=peak is not None and peak > float(users[-1]),
    )
    return result if peak is None else replace(result, peak_per_s=result.rate_per_s(peak))


def usl_band(rates: Sequence[LevelRate], at_users: Sequence[float], seed: int = 1) -> list[tuple[float, float, float]]:
    """(fit, low, high) of the throughput at each of `at_users`: the fit of `usl`, 90 % of its bootstrap's curves.

    [] where there is no fit.
    """
    rates = [rate for rate in rates if rate.per_s > 0 and rate.users > 0]
    if len(rates) < USL_LEVELS:
        return []
    found = np.array(_drawn(rates, seed))[:, :, None]
    n = np.asarray(at_users, np.float64)
    curves = found[:, 0] * n / (1 + found[:, 1] * (n - 1) + found[:, 2] * n * (n - 1))
    low, high = np.quantile(curves[1:], (0.05, 0.95), axis=0)
    return list(zip(curves[0].tolist(), low.tolist(), high.tolist(), strict=True))


def scaling_facts(rates: Sequence[LevelRate], seed: int = 1) -> dict[str, Any]:
    """All of it as JSON values, None where it cannot be told. seed: of the bootstrap."""
    peak = max(rates, key=lambda rate: rate.per_s, default=None)
    best, fit = operating_point(rates), usl(rates, seed)
    return {
        "peak_per_s": None if peak is None else round(peak.per_s, 3),
        "peak_users": None if peak is None else round(peak.users, 2),
        "knee_users": _rounded(knee_users(rates), 2),
        "operating_per_s": None if best is None else round(best.per_s, 3),
        "operating_users": None if best is None else round(best.users, 2),
        "usl": None if fit is None else {name: _rounded(value, 6) for name, value in asdict(fit).items()},
    }


def _drawn(rates: Sequence[LevelRate], seed: int) -> list[tuple[float, float, float]]:
    """(gamma, sigma, kappa) of the measured throughputs, then of each redrawn set of them."""
    users, measured, weights = _arrays(rates)
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(users))) / np.sqrt(weights)
    return _fits(users, np.vstack([measured, np.maximum(measured + noise, 1e-9)]), weights)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else value if isinstance(value, (bool, np.bool_)) else round(value, digits)


def _arrays(rates: Sequence[LevelRate]) -> tuple[Floats, Floats, Floats]:
    """(users, throughput, weight = 1 / variance)."""
    users = np.array([rate.users for rate in rates])
    measured = np.array([rate.per_s for rate in rates])
    error = np.hypot(np.array([rate.error_per_s for rate in rates]), FLOOR * np.maximum(measured, 1e-9))
    return users, measured, 1 / error**2


def _fits(users: Floats, measured: Floats, weights: Floats) -> list[tuple[float, float, float]]:
    """(gamma, sigma, kappa) of each row of `measured`, with sigma, kappa >= 0: the best of the fits with either, both
    or none of the two left out."""
    columns = np.stack([np.ones_like(users), users - 1, users * (users - 1)], axis=1)
    size = columns.max(axis=0)
    target = users / measured
    # N / X has the relative error of X.
    scale = np.sqrt(weights) * measured / target
    best = np.zeros((len(measured), 3))
    best_misfit = np.full(len(measured), math.inf)
    for kept in ([0], [0, 1], [0, 2], [0, 1, 2]):
        part = (columns / size)[None, :, kept] * scale[:, :, None]
        found = (np.linalg.pinv(part) @ (target * scale)[:, :, None])[:, :, 0]
        misfit = ((np.einsum("rmp,rp->rm", part, found) - target * scale) ** 2).sum(axis=1)
        better = (found[:, 0] > 0) & (found[:, 1:] >= 0).all(axis=1) & (misfit < best_misfit)
        best[better] = 0.0
        best[np.ix_(better, kept)] = found[better] / size[kept]
        best_misfit[better] = misfit[better]
    return [(1 / a, b / a, c / a) for a, b, c in best.tolist()]


def _peak(sigma: float, kappa: float) -> float | None:
    return math.sqrt((1 - sigma) / kappa) if kappa > 0 and sigma < 1 else None
