from __future__ import annotations

import numpy as np
import pytest
from windows import flat_window

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import Phase, Stairs, StopConditions
from loadtest.core.stats.rates import LevelRate, level_rates, level_spread
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef


def plan(traffic) -> Plan:
    return Plan(curve_of(traffic), StopConditions(), TargetRef("mock:"))


def windows(ok: list[int], users: list[int], levels: list[int | None], **members) -> list[Window]:
    return [
        flat_window(
            index=i,
            start_s=i,
            end_s=i + 1.0,
            level=level,
            users=n,
            running=n,
            active=float(n),
            in_flight=float(n),
            ok=count,
            latency_sum_s=0.02 * count,
            **members,
        )
        for i, (count, n, level) in enumerate(zip(ok, users, levels, strict=True))
    ]


STAIRS = plan(Stairs(1, 3, 30))


def test_each_level_and_its_error() -> None:
    rng = np.random.default_rng(1)
    counts = [int(rng.poisson(100 * (k + 1))) for k in range(3) for _ in range(10)]
    found = level_rates(STAIRS, windows(counts, [1] * 10 + [2] * 10 + [3] * 10, [0] * 10 + [1] * 10 + [2] * 10))
    assert [rate.users for rate in found] == [1.0, 2.0, 3.0]
    for k, rate in enumerate(found):
        # The first window of a level still feels the one before.
        assert rate.per_s == pytest.approx(np.mean(counts[10 * k + 1 : 10 * k + 10]))
        assert rate.freedom == 8
        assert 0.3 * rate.error_per_s < (100 * (k + 1) / 9) ** 0.5 < 3 * rate.error_per_s
        assert rate.latency_s == pytest.approx(0.02)


def test_regular_counts_are_not_finer_than_one_request() -> None:
    (found,) = level_rates(STAIRS, windows([100] * 9, [1] * 9, [0] * 9))
    assert found.error_per_s == pytest.approx(1 / 8)


@pytest.mark.parametrize(("seconds", "levels"), [(4, 0), (5, 1), (10, 1), (14, 1), (15, 2)], ids="{} s".format)
def test_the_level_under_way_counts_from_its_middle_on(seconds, levels) -> None:
    all_levels = [0] * 10 + [1] * 10
    found = level_rates(STAIRS, windows([100] * 20, [1] * 10 + [2] * 10, all_levels)[:seconds])
    assert len(found) == levels


def test_thin_levels_are_joined() -> None:
    found = level_rates(STAIRS, windows([6] * 30, [1] * 10 + [2] * 10 + [3] * 10, [0] * 10 + [1] * 10 + [2] * 10))
    assert [rate.users for rate in found] == [pytest.approx((9 + 20) / 19)]


def test_what_straddles_or_drains_counts_nowhere() -> None:
    given = windows([100] * 11, [1] * 10 + [0], [0] * 5 + [None] + [0] * 4 + [0])
    (found,) = level_rates(STAIRS, given)
    assert found.ok == 800


def test_falling_users_start_anew() -> None:
    phases = plan((Phase(3, 0, 10), Phase(1, 0, 10), Phase(2, 0, 10)))
    found = level_rates(phases, windows([100] * 30, [3] * 10 + [1] * 10 + [2] * 10, [0] * 10 + [1] * 10 + [2] * 10))
    assert [rate.users for rate in found] == [1.0, 2.0]


def test_a_limited_level_is_marked() -> None:
    (found,) = level_rates(STAIRS, windows([100] * 9, [1] * 9, [0] * 9, cpu=1.0))
    assert found.limited


def test_a_drift_that_moves_neighbouring_levels_together_is_seen() -> None:
    """Correlation 0.45 from level to level, as of a memory of 15 s in levels of 20 s: neighbours alone see two thirds."""
    rng, found = np.random.default_rng(1), []
    for _ in range(40):
        off = [rng.standard_normal()]
        for _ in range(39):
            off.append(0.45 * off[-1] + (1 - 0.45**2) ** 0.5 * rng.standard_normal())
        rates = [LevelRate(n, 5 * n * (1 + 0.05 * x), 0.1, 19, 0.2, 0.0, 100 * n) for n, x in enumerate(off, 1)]
        found.append(level_spread(rates)[0])
    assert 0.045 < np.mean(found) < 0.06


def test_levels_that_say_too_little_have_no_spread() -> None:
    assert level_spread([LevelRate(n, 5.0 * n, 0.1, 19, 0.2, 0.0, 100) for n in (1, 2, 3)]) == (0.0, 0)
