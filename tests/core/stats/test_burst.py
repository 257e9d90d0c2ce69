from __future__ import annotations

import numpy as np
import pytest
from windows import flat_window

from loadtest.core.stats.burst import ENOUGH, MAX_KEPT, Tally, design_effect, tally_of


def batches(flags: np.ndarray, size: int = 10) -> tuple[tuple[int, int], ...]:
    return tuple((size, int(part.sum())) for part in flags[: len(flags) // size * size].reshape(-1, size))


def in_bursts(share: float, burst: int, n: int, seed: int = 1) -> np.ndarray:
    return np.repeat(np.random.default_rng(seed).random(n // burst) < share, burst)


@pytest.mark.parametrize("burst", [1, 2, 5, 10, 20, 50, 100])
def test_bursts_shrink_the_sample_by_their_length(burst) -> None:
    found = design_effect(batches(in_bursts(0.1, burst, 100_000)), 50)
    assert found is not None
    # Batches of 50 see about (1 - b / 150) of a burst of b. Longer ones see more, and are taken if it is clearly more:
    # being fewer, they err by up to half, on the side of caution.
    assert 0.65 * burst <= found <= 1.7 * burst


def test_alternation_is_no_more_than_independence() -> None:
    regular = np.tile([True, False, False, False, False], 2000)
    assert design_effect(batches(regular), 50) == 1.0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(np.zeros(0, bool), None, id="nothing"),
        pytest.param(np.zeros(50 * ENOUGH - 10, bool), None, id="too few batches"),
        pytest.param(np.zeros(50 * ENOUGH, bool), 1.0, id="none over"),
        pytest.param(np.ones(50 * ENOUGH, bool), 1.0, id="all over"),
    ],
)
def test_edges(flags, expected) -> None:
    assert design_effect(batches(flags), 50) == expected


def test_batches_of_any_size_are_joined() -> None:
    flags = in_bursts(0.1, 10, 50_000)
    cuts = np.cumsum(np.random.default_rng(2).integers(1, 20, 4000))
    parts = np.split(flags, cuts[cuts < len(flags)])
    uneven = tuple((len(part), int(part.sum())) for part in parts if len(part))
    found, even = design_effect(uneven, 50), design_effect(batches(flags), 50)
    assert found == pytest.approx(even, rel=0.3)


def test_a_long_tally_stays_small_and_exact() -> None:
    flags = in_bursts(0.1, 10, 200_000)
    windows = [
        flat_window(
            index=i, start_s=i, end_s=i + 1, level=0, users=1, ok=400, over=int(part.sum()), over_batches=batches(part)
        )
        for i, part in enumerate(flags.reshape(-1, 400))
    ]
    tally = tally_of(window.counts for window in windows)
    assert (tally.n, tally.over) == (200_000, int(flags.sum()))
    assert len(tally.batches) <= MAX_KEPT
    assert sum(n for n, _ in tally.batches) == tally.n
    assert sum(over for _, over in tally.batches) == tally.over
    assert tally.share == tally.over / tally.n
    assert Tally().share == 0.0
