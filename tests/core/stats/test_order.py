"""Intervals of a percentile by order statistics, and what windows that differ leave of their size."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.core.stats.order import ranks_of, window_effect


@pytest.mark.parametrize(
    ("n", "effective", "ranks"),
    [(1000, 1000, (936, 964)), (1000, 250, (920, 980)), (50, 50, (44, None)), (1, 1, (1, None))],
)
def test_ranks_enclose_the_percentile(n: int, effective: float, ranks: tuple[int, int | None]) -> None:
    assert ranks_of(0.95, n, effective) == ranks


def test_independent_requests_hold_it_in_95_percent() -> None:
    rng, held = np.random.default_rng(1), 0
    low, high = ranks_of(0.95, 400, 400)
    assert high is not None
    for _ in range(400):
        drawn = np.sort(rng.random(400))
        held += drawn[low - 1] <= 0.95 <= drawn[high - 1]
    assert held >= 372


def test_windows_that_differ_by_more_than_chance_count_for_less() -> None:
    n = np.full(40, 100.0)
    assert window_effect(n, np.random.default_rng(2).binomial(100, 0.05, 40).astype(float)) < 3
    assert window_effect(n, np.repeat([0.0, 10.0], 20)) > 20
    assert window_effect(n, np.zeros(40)) == 1.0
    assert window_effect(n[:0], n[:0]) == 1.0
