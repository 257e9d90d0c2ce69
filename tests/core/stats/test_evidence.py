from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.stats.evidence import interval, log_beta_ratio, log_over, log_under


def binomial_tail(n: int, share: Fraction, over: int) -> Fraction:
    return sum((math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(over, n + 1)), start=Fraction(0))


@pytest.mark.parametrize("n", [1, 2, 10, 100, 300])
@pytest.mark.parametrize("share", [Fraction(1, 100), Fraction(1, 20), Fraction(1, 2), Fraction(19, 20)])
def test_incomplete_beta_is_the_binomial_tail(n, share) -> None:
    for over in {1, n // 20 + 1, n // 2 + 1, n}:
        exact = binomial_tail(n, share, over)
        logarithm = math.log(exact.numerator) - math.log(exact.denominator)
        assert log_beta_ratio(over, n - over + 1, float(share)) == pytest.approx(logarithm, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(("n", "over"), [(0, 0), (1, 1), (50, 1), (100, 20), (300, 20), (2000, 60)])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_evidence_is_the_average_likelihood_ratio(n, over, share) -> None:
    for function, low, high, a, b in (
        (log_over, share, 1.0, 2.0, max(1.0, 1 / share - 2)),
        (log_under, 0.0, share, 1.0, max(1.0, 0.5 / share - 1)),
    ):
        s = np.linspace(low, high, 400_001)[1:-1]
        prior = s ** (a - 1) * (1 - s) ** (b - 1)
        ratio = np.exp(over * np.log(s / share) + (n - over) * np.log((1 - s) / (1 - share)))
        expected = math.log((prior * ratio).sum() / prior.sum())
        assert function(n, over, share) == pytest.approx(expected, abs=5e-3)


def test_no_data_is_no_evidence() -> None:
    assert log_over(0, 0, 0.05) == pytest.approx(0.0, abs=1e-12)
    assert log_under(0, 0, 0.05) == pytest.approx(0.0, abs=1e-12)
    assert interval(0, 0, 0.01) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_evidence_has_mean_one_at_the_limit(share) -> None:
    """What Ville's inequality rests on, summed exactly over every outcome of n requests."""
    n = 60
    for function in (log_over, log_under):
        mean = sum(
            math.comb(n, k) * share**k * (1 - share) ** (n - k) * math.exp(function(n, k, share)) for k in range(n + 1)
        )
        assert mean == pytest.approx(1.0, rel=1e-9)


def test_looking_at_every_request_stops_at_most_one_run_in_a_hundred() -> None:
    rng = np.random.default_rng(4)
    limit, stopped = math.log(100), 0
    for _ in range(200):
        sums = np.cumsum(rng.random(400) < 0.05)
        # Evidence can only reach the limit where the share is well over it.
        looks = (n for n in range(1, 401) if sums[n - 1] > 0.05 * n + 4)
        stopped += any(log_over(n, float(sums[n - 1]), 0.05) >= limit for n in looks)
    assert stopped <= 7  # 200 x 1 % = 2; more than 7 has a probability of 0.001


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.05, 0.01]))
def test_interval_holds_the_observed_share_and_narrows_with_alpha(n, share, alpha) -> None:
    over = round(share * n)
    low, high = interval(n, over, alpha)
    assert 0 <= low <= over / n + 1e-6
    assert over / n - 1e-6 <= high <= 1
    wider_low, wider_high = interval(n, over, alpha / 10)
    assert wider_low <= low + 2e-6
    assert wider_high >= high - 2e-6
