"""Evidence that a share is above or below a limit, which may be looked at as often as one likes.

Each of n requests is "over" or not; is the share of those over above q? For a share s > q the likelihood ratio

    L(s) = (s / q)^over ((1 - s) / (1 - q))^(n - over)

is a martingale of mean 1 if the true share is q, and a supermartingale if it is lower. So is every average of L over
a prior on s, whatever the prior: it decides how soon, not how surely. By Ville's inequality such an average ever
reaches 1 / alpha with a probability of at most alpha, no matter how often, or when, one looks. The prior here is a
Beta distribution cut off at q, which makes the average a quotient of incomplete beta functions: Beta(2, 1/q - 2) above
q, whose mean is 2 q, and Beta(1, 1/(2 q) - 1) below it. `log_over` is the average's logarithm, and `log_under` the
mirror image for "the share is below q".

Sources: Ville (1939); Robbins, "Statistical methods related to the law of the iterated logarithm" (1970); Howard,
Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (arXiv 1810.08240), the
one-sided beta-binomial mixture; Howard and Ramdas, "Sequential estimation of quantiles" (arXiv 1906.09712). The
incomplete beta function is DLMF 8.17.22 (continued fraction), by Lentz's method.

Counts may be fractions: a burst-corrected sample is smaller than the requests it came from. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["interval", "log_beta_ratio", "log_over", "log_under"]

_TINY = 1e-300
_PRECISION = 1e-12
_MAX_TERMS = 100_000


def log_over(n: float, over: float, share: float) -> float:
    """Natural logarithm of the evidence that more than `share` (0 < share < 1) of the requests are over."""
    return _log_mixture(n, over, share, 2.0, max(1.0, 1 / share - 2), upper=True)


def log_under(n: float, over: float, share: float) -> float:
    """Natural logarithm of the evidence that less than `share` of the requests are over."""
    return _log_mixture(n, over, share, 1.0, max(1.0, 0.5 / share - 1), upper=False)


def interval(n: float, over: float, alpha: float) -> tuple[float, float]:
    """(low, high) share that each hold with probability 1 - alpha at all times together; (0.0, 1.0) on no data."""
    if n <= 0:
        return 0.0, 1.0
    limit = -math.log(alpha)
    observed = min(max(over / n, 0.0), 1.0)
    low = _bisect(0.0, observed, lambda share: log_over(n, over, share) >= limit)
    high = 1.0 - _bisect(0.0, 1.0 - observed, lambda rest: log_under(n, over, 1.0 - rest) >= limit)
    return low, high


def log_beta_ratio(a: float, b: float, x: float) -> float:
    """ln I_x(a, b), the regularised incomplete beta function; a, b > 0 and 0 < x < 1."""
    if x < (a + 1) / (a + b + 2):
        return _log_front(a, b, x) + math.log(_fraction(a, b, x) / a)
    complement = math.exp(_log_front(b, a, 1 - x)) * _fraction(b, a, 1 - x) / b
    return math.log1p(-min(complement, 1 - 1e-16))


def _log_mixture(n: float, over: float, share: float, a: float, b: float, *, upper: bool) -> float:
    posterior = _log_part(a + over, b + n - over, share, upper=upper)
    prior = _log_part(a, b, share, upper=upper)
    return posterior - prior - over * math.log(share) - (n - over) * math.log1p(-share)


def _log_part(a: float, b: float, share: float, *, upper: bool) -> float:
    """ln of the integral of s^(a-1) (1-s)^(b-1) over s > share, or s < share."""
    ratio = log_beta_ratio(b, a, 1 - share) if upper else log_beta_ratio(a, b, share)
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b) + ratio


def _log_front(a: float, b: float, x: float) -> float:
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22; converges fast for x < (a + 1) / (a + b + 2)."""
    c = 1.0
    d = 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / _off_zero(1.0 + even * d)
        c = _off_zero(1.0 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / _off_zero(1.0 + odd * d)
        c = _off_zero(1.0 + odd / c)
        step = d * c
        value *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _bisect(low: float, high: float, holds: Callable[[float], bool]) -> float:
    """The largest value in [low, high] up to which `holds`, to 1e-6; `low` if it holds nowhere."""
    while high - low > 1e-6:
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
