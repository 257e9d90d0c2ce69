"""What must be waited for because slow requests come in spells, by the length of the run."""

from __future__ import annotations

import math

import pytest

from loadtest.core.stats.assumed import MIDWAY_BLOCKS, assumed_for


@pytest.mark.parametrize(
    ("run_s", "lasting_s", "midway_s", "worst_most_s"),
    [(60, 15, 20, 12.5), (120, 30, 40, 25), (600, 38.05, 49.47, 33.05), (18_000, 55.05, 69.48, 50.05)],
)
def test_waiting_times(run_s: float, lasting_s: float, midway_s: float, worst_most_s: float) -> None:
    found = assumed_for(run_s, 0.05)
    assert found.lasting_s == pytest.approx(lasting_s, abs=0.01)
    assert found.midway_s == pytest.approx(midway_s, abs=0.01)
    assert found.worst_most_s == pytest.approx(worst_most_s, abs=0.01)


@pytest.mark.parametrize("run_s", [120, 600, 3600, 18_000])
def test_one_of_a_long_runs_many_spells_is_hardly_outlasted_by_more_than_in_a_short_one(run_s: float) -> None:
    """Spells with an exponential tail that take 4 % of the time: how many last as long as a breach is waited for."""
    found, spells = assumed_for(run_s, 0.05), 0.04 * run_s / 5.0
    assert spells * math.exp(-found.lasting_s / found.spell_s) < 0.003
    assert spells * math.exp(-MIDWAY_BLOCKS * found.midway_s / found.spell_s) < 0.002
