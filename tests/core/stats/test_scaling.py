from __future__ import annotations

import math

import numpy as np
import pytest

from loadtest.core.stats.rates import LevelRate
from loadtest.core.stats.scaling import knee_users, operating_point, scaling_facts, usl


def levels(per_s, users=None, error=0.5) -> list[LevelRate]:
    users = list(range(1, len(per_s) + 1)) if users is None else users
    return [
        LevelRate(float(n), float(x), error, 9, n / x if x else 0.0, 0.0, 1000)
        for n, x in zip(users, per_s, strict=True)
    ]


def law(n, gamma, sigma, kappa):
    return gamma * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


@pytest.mark.parametrize("servers", [1, 2, 3, 5, 8, 16])
def test_knee_of_servers(servers) -> None:
    users = range(1, servers + 4)
    found = knee_users(levels([50 * min(n, servers) for n in users]))
    assert found == pytest.approx(servers, abs=0.1)


@pytest.mark.parametrize(
    ("per_s", "users"),
    [
        pytest.param([50, 100, 150, 200], None, id="still growing"),
        pytest.param([50, 100], None, id="two levels"),
        pytest.param([], None, id="none"),
    ],
)
def test_no_knee(per_s, users) -> None:
    assert knee_users(levels(per_s, users)) is None


@pytest.mark.parametrize(("sigma", "kappa"), [(0.0, 0.0), (0.1, 0.0), (0.05, 0.002), (0.0, 0.01)])
def test_usl_finds_the_law_it_was_made_from(sigma, kappa) -> None:
    users = np.arange(1, 17)
    fit = usl(levels(law(users, 80.0, sigma, kappa), users))
    assert fit is not None
    assert (fit.gamma_per_s, fit.sigma, fit.kappa) == pytest.approx((80.0, sigma, kappa), rel=1e-3, abs=1e-4)
    assert fit.sigma_low - 1e-3 <= sigma <= fit.sigma_high + 1e-3
    assert fit.kappa_low - 1e-4 <= kappa <= fit.kappa_high + 1e-4
    assert fit.rate_per_s(8) == pytest.approx(law(8, 80.0, sigma, kappa), rel=1e-2)
    if kappa:
        peak = math.sqrt((1 - sigma) / kappa)
        assert fit.peak_users == pytest.approx(peak, rel=1e-2)
        assert fit.peak_per_s == pytest.approx(law(peak, 80.0, sigma, kappa), rel=1e-2)
        assert fit.extrapolated == (peak > 16)


def test_the_bootstrap_interval_covers() -> None:
    rng = np.random.default_rng(3)
    users = np.arange(1, 13)
    inside = 0
    for seed in range(40):
        noisy = law(users, 80.0, 0.05, 0.004) * (1 + rng.normal(0, 0.01, len(users)))
        fit = usl(levels(noisy, users, error=0.001), seed)
        assert fit is not None
        inside += fit.kappa_low <= 0.004 <= fit.kappa_high
    assert inside >= 29  # 40 x 90 % = 36, five standard deviations


def test_usl_wants_six_levels() -> None:
    assert usl(levels([50, 100, 150, 190, 200])) is None
    assert usl(levels([50, 100, 0, 150, 190, 200])) is None


def test_operating_point_is_the_most_throughput_per_latency() -> None:
    best = operating_point(levels([50, 100, 150, 150, 150]))
    assert best is not None
    assert best.users == 3.0
    assert operating_point([]) is None


def test_facts_are_plain() -> None:
    assert scaling_facts([])["usl"] is None
    facts = scaling_facts(levels([50, 100, 150, 150, 150, 150]))
    assert facts["peak_per_s"] == 150.0
    assert isinstance(facts["usl"]["extrapolated"], bool)
