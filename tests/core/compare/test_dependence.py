"""What dependence costs: nothing for independent windows, the known factor for known series, few degrees for few events."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.core.compare.dependence import CountSeries, dependence_of

LEVELS, WINDOWS, REQUESTS = 8, 60, 50


def shares(rng: np.random.Generator, chances: np.ndarray) -> CountSeries:
    whole = np.full(len(chances), float(REQUESTS))
    return CountSeries.of(rng.binomial(REQUESTS, chances).astype(float), whole, share=True)


def test_independent_requests() -> None:
    rng = np.random.default_rng(1)
    found = dependence_of([shares(rng, np.full(WINDOWS, 0.3)) for _ in range(LEVELS)])
    assert found.dispersion == pytest.approx(1.0, abs=0.25)
    assert (found.growth, found.block) == (1.0, 1)
    assert found.freedom > 200


def test_windows_that_resemble_their_neighbours() -> None:
    """An autoregression with coefficient r: the mean's variance grows by (1 + r) / (1 - r), here 9."""
    rng, keep, series = np.random.default_rng(2), 0.8, []
    for _ in range(LEVELS):
        noise, level = rng.standard_normal(4 * WINDOWS), 0.0
        walk = np.empty(4 * WINDOWS)
        for place, step in enumerate(noise):
            level = keep * level + step
            walk[place] = level
        series.append(CountSeries.of(1000 + 100 * walk, np.ones(4 * WINDOWS)))
    found = dependence_of(series)
    assert found.growth == pytest.approx(9.0, rel=0.4)
    assert found.block >= 8


def test_slow_requests_of_the_same_moment() -> None:
    rng = np.random.default_rng(3)
    series = [shares(rng, rng.choice([0.1, 0.5], WINDOWS)) for _ in range(LEVELS)]
    # Of a share of 0.3: (n p q + n^2 0.2^2) / (n p q), less what the mixture takes from p q.
    assert dependence_of(series).dispersion == pytest.approx(1 + REQUESTS * 0.04 / 0.21, rel=0.25)


def test_one_pause_is_one_event() -> None:
    rng = np.random.default_rng(4)
    chances = [np.full(WINDOWS, 0.05) for _ in range(LEVELS)]
    chances[3][20:22] = 0.95
    found = dependence_of([shares(rng, each) for each in chances])
    assert found.freedom < 6
    assert found.dispersion * found.growth > 4


def test_nothing_varies() -> None:
    found = dependence_of([CountSeries.of(np.full(WINDOWS, 40.0), np.ones(WINDOWS))])
    assert (found.dispersion, found.growth, found.freedom) == (1.0, 1.0, float("inf"))


def test_a_level_never_has_less_than_its_own() -> None:
    rng = np.random.default_rng(5)
    calm = [shares(rng, np.full(WINDOWS, 0.3)) for _ in range(LEVELS)]
    wild = shares(rng, rng.choice([0.1, 0.5], WINDOWS))
    found = dependence_of([*calm, wild])
    assert found.effect(wild) >= wild.dispersion > 5
    assert found.effect(calm[0]) >= found.dispersion
