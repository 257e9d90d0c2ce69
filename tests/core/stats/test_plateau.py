"""One rule of what a plateau is: the live stop, the fitted knee, the search and the report agree about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from windows import flat_level

from loadtest.core.judge.stop.flat import FlatRule
from loadtest.core.search.throughput import Held, Throughput
from loadtest.core.stats.plateau import plateau_start, single_user_rate
from loadtest.core.stats.rates import LevelRate
from loadtest.core.stats.scaling import knee_users
from loadtest.report.workload import knee_of

MEASURED_S = 30.0


@pytest.mark.parametrize(
    ("levels", "start"),
    [
        pytest.param([(1, 10), (2, 20), (3, 30), (4, 30), (6, 31)], 2, id="levels out"),
        pytest.param([(1, 10), (2, 20), (3, 19), (4, 15)], 1, id="falls after its peak"),
        pytest.param([(1, 10), (2, 10)], 0, id="from the start"),
        pytest.param([(1, 10), (2, 11)], 0, id="exactly 10 % is no gain"),
        pytest.param([(1, 10), (2, 20), (4, 40)], None, id="grows to the end"),
        pytest.param([(1, 10), (2, 20), (3, 20), (4, 33), (5, 44)], None, id="a step that was no gain, then growth"),
        pytest.param([(1, 10), (2, 20), (4, 40), (2, 20)], None, id="users that leave are no plateau"),
        pytest.param([(1, 10), (2, 20), (4, 21), (1, 10)], 1, id="users that leave after one"),
        pytest.param([(1, 10)], None, id="one level"),
        pytest.param([], None, id="none"),
        pytest.param([(1, 0), (2, 0)], None, id="nothing served"),
    ],
)
def test_where_it_begins(levels: list[tuple[float, float]], start: int | None) -> None:
    assert plateau_start(levels) == start


def test_a_single_user_is_the_best_that_any_shows() -> None:
    assert single_user_rate([(2, 18), (4, 40), (8, 60)]) == 10
    assert single_user_rate([]) == 0


@given(
    servers=st.integers(1, 12),
    single=st.floats(5, 500),
    beyond=st.lists(st.floats(-0.02, 0.02), min_size=2, max_size=6),
    contention=st.floats(0, 0.02),
)
def test_stop_knee_search_and_report_agree(servers: int, single: float, beyond: list[float], contention: float) -> None:
    """Servers that are busy from as many users on, with noise on the plateau, and some contention before it."""
    grown = [single * n / (1 + contention * (n - 1)) for n in range(1, servers + 1)]
    served = [round(x * MEASURED_S) for x in (*grown, *(grown[-1] * (1 + noise) for noise in beyond))]
    curve = [(n, ok / MEASURED_S) for n, ok in enumerate(served, 1)]
    levels = [flat_level(n, n, measured_s=MEASURED_S, ok=ok, windows=30) for n, ok in enumerate(served, 1)]
    rates = [LevelRate(float(n), x, x * 0.001, 19, n / x, 0.0, round(x * MEASURED_S)) for n, x in curve]
    start, knee, stopped = plateau_start(curve), knee_users(rates), FlatRule().find(rates)
    found = Throughput(None, 0.95, {n: Held(n, [ok], [MEASURED_S]) for n, ok in enumerate(served, 1)})
    told = knee_of(levels)
    if start is None:
        assert (told, stopped, found.best()) == (None, None, len(curve))
        assert knee is None or knee >= servers, "what the highest level gained may be chance"
        return
    assert curve[start][0] >= servers
    assert told is not None
    assert found.best() == told.users == curve[start][0]
    assert knee is None or abs(knee - told.users) <= len(beyond)


def test_the_highest_of_a_noisy_plateau_is_not_where_it_begins() -> None:
    """A batching server: from 16 users on throughput stands still, and luck made 48 the highest."""
    users = [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0]
    per_s = [23.0, 42.0, 71.0, 111.0, 154.0, 153.0, 155.0, 171.0]
    levels, errors = list(zip(users, per_s, strict=True)), [3.0] * 8
    assert plateau_start(levels) == 4, "the gain of 48 users is below a tenth of theirs"
    assert plateau_start([(n, x) for n, x in levels if n <= 16] + [(18.0, 166.0), (24.0, 157.0)]) == 5
    assert plateau_start([(n, x) for n, x in levels if n <= 16] + [(18.0, 166.0), (24.0, 157.0)], [5.0] * 7) == 4
    rates = [LevelRate(n, x, e, 19, n / x, 0.0, round(30 * x)) for (n, x), e in zip(levels, errors, strict=True)]
    assert knee_users(rates) == 16.0
