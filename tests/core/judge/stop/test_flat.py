from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import free_users
from loadtest.core.judge.decision import Reason
from loadtest.core.judge.stop.flat import FlatRule
from loadtest.core.stats.rates import LevelRate, level_spread


def rates(per_s: list[float], users: list[float] | None = None, error: float = 0.2, **members) -> list[LevelRate]:
    """Levels of a closed loop: latency is users over throughput."""
    users = users or [float(k + 1) for k in range(len(per_s))]
    values = {"freedom": 9, "error_ratio": 0.0, "ok": 1000} | members
    return [
        LevelRate(users=n, per_s=x, error_per_s=error, latency_s=n / x if x else 0.0, **values)
        for n, x in zip(users, per_s, strict=True)
    ]


PLATEAU = [50.0, 100.0, 150.0, 200.0, 200.0, 200.0]


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        pytest.param(rates(PLATEAU), "flat", id="two steps of users bring nothing"),
        pytest.param(rates(PLATEAU[:-1]), None, id="one step is not enough"),
        pytest.param(rates([50, 100, 150, 200, 250, 300]), None, id="it still grows"),
        pytest.param(rates([50, 100, 120, 124, 128, 131]), "flat", id="it grows by less than a tenth of a user's rate"),
        pytest.param(rates([50, 100, 120, 135, 147, 157]), None, id="it grows by a fifth of a user's rate"),
        pytest.param(rates(PLATEAU, error=5.0), None, id="too noisy to tell"),
        pytest.param(rates(PLATEAU + [200.0] * 8, error=5.0), "flat", id="noisy, but eight more levels"),
        pytest.param(rates([50, 100, 150, 200, 190, 170]), "falling", id="past its peak"),
        pytest.param(rates([50, 100, 150, 200, 170]), None, id="one level is no fall"),
        pytest.param(rates([50, 95, 155, 195, 258, 245, 240]), None, id="levels of a rise that differ as much"),
        pytest.param(rates([50, 100, 150, 200, 198, 196], error=2.0), "flat", id="a fall within the noise is flat"),
        pytest.param(rates([200.0]), None, id="constant users have one level"),
        pytest.param(rates([]), None, id="nothing yet"),
        pytest.param(rates([0.0, 0.0, 0.0]), None, id="nothing succeeds"),
        pytest.param(rates([200.0, 200.0, 200.0], users=[10.0, 20.0, 30.0]), "flat", id="saturated from the start"),
    ],
)
def test_plateau(levels, kind) -> None:
    plateau = FlatRule().find(levels)
    assert (plateau and plateau.kind) == kind
    decision = FlatRule().check(levels)
    assert (decision is not None) == (kind is not None)
    if decision is not None and plateau is not None:
        assert decision.reason is Reason.FLAT
        assert decision.evidence["kind"] == kind
        assert plateau.gain_share_high < 0.1


def test_not_flat_if_latency_stood_still() -> None:
    levels = [replace(rate, latency_s=0.02) for rate in rates(PLATEAU)]
    assert FlatRule().find(levels) is None


def test_not_flat_if_errors_rose() -> None:
    levels = rates(PLATEAU)
    assert FlatRule().find([*levels[:-1], replace(levels[-1], error_ratio=0.02)]) is None
    assert FlatRule().find([*levels[:-1], replace(levels[-1], error_ratio=0.005)]) is not None


@pytest.mark.parametrize(("limited", "stops"), [(0, True), (2, True), (3, False), (5, False)])
def test_withheld_if_the_generator_limited_a_level_that_shows_it(limited, stops) -> None:
    levels = rates(PLATEAU)
    levels[limited] = replace(levels[limited], limited=True)
    assert FlatRule().find(levels) is not None
    assert (FlatRule().check(levels) is not None) == stops


def test_the_evidence_names_knee_and_operating_point() -> None:
    levels = rates([50, 100, 150, 200, 200, 200, 200])
    plateau = FlatRule().find(levels)
    assert plateau is not None
    evidence = FlatRule().evidence(levels, plateau)
    assert evidence["knee_users"] == pytest.approx(4.0, abs=0.05)
    assert (evidence["operating_users"], evidence["operating_per_s"]) == (4.0, 200)
    assert evidence["usl"]["sigma"] >= 0


def test_noise_alone_is_rarely_flat() -> None:
    """Throughput that grows by a fifth of a user's rate, measured with noise, must not look flat by luck."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        true = np.concatenate(([50.0, 100.0, 150.0], 150 + 10.0 * np.arange(1, 6)))
        levels = rates(list(true + rng.normal(0, 3.0, len(true))), error=3.0)
        found += FlatRule().find(levels) is not None
    assert found <= 6


def test_what_levels_differ_by_is_seen_in_the_rise() -> None:
    rng = np.random.default_rng(3)
    found = [
        level_spread(rates([50.0 * n * (1 + 0.05 * rng.standard_normal()) for n in range(1, 41)])) for _ in range(30)
    ]
    assert 0.04 < np.mean([spread for spread, _ in found]) < 0.06
    assert min(freedom for _, freedom in found) >= 30
    assert level_spread(rates([50, 100, 120, 124, 128, 131]))[0] == 0, "a rise that bends is no noise"
    assert level_spread(rates([50, 100])) == (0.0, 0)


def test_the_error_is_spent_over_the_run() -> None:
    """A fall of 7 % at a standard error of 1.5 %: enough in a rise of five levels, one chance of many in one of forty."""
    short = [50.0, 100.0, 150.0, 140.0, 139.0]
    assert FlatRule().find(rates(short, error=1.5)) is not None
    long = [150.0 * n / 38 for n in range(1, 39)] + [140.0, 139.0]
    plateau = FlatRule().find(rates(long, error=1.5))
    assert plateau is None or plateau.kind != "falling"


@pytest.mark.parametrize(
    ("levels", "gain"),
    [
        (rates([50, 100, 150]), 1.0),
        (rates([50, 100, 100, 100]), 0.0),
        (rates([50, 100, 125, 150]), 0.5),
        (rates([50, 100, 90, 80]), -0.2),
        (rates([50, 100]), None),
        (rates([]), None),
        (rates([0.0, 0.0, 0.0]), None),
        (rates([50, 100, 150], users=[3.0, 2.0, 1.0]), None),
    ],
)
def test_what_the_last_users_bring(levels, gain) -> None:
    assert FlatRule().gain(levels) == (gain if gain is None else pytest.approx(gain))


def test_where_it_is_flat_the_gain_says_so_too() -> None:
    assert FlatRule().find(rates(PLATEAU)) is not None
    assert FlatRule().gain(rates(PLATEAU)) == 0.0


def test_an_endpoint_whose_speed_drifts_is_not_flat_and_one_that_stands_still_is() -> None:
    """A drift with a memory of most of a level: neighbours move together, and say too little of how much (seed 0)."""
    assert not free_users.drifting(np.random.default_rng([1, 0]))
    assert free_users.plateau(np.random.default_rng([1, 0]))
