"""How many independent events slow requests amount to."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.core.stats.clusters import design_effect, events, spell_windows


def slices(flags: np.ndarray, per_slice: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """(n, over) of windows of ten slices."""
    over = flags.reshape(-1, 10, per_slice).sum(axis=2).astype(float)
    return np.full(over.shape, float(per_slice)), over


def in_bursts(seed: int, burst: int, n: int = 6000, share: float = 0.05) -> np.ndarray:
    return np.repeat(np.random.default_rng(seed).random(n // burst) < share, burst)


def test_independent_requests_are_as_many_events() -> None:
    effects = [design_effect(*slices(in_bursts(seed, 1))) for seed in range(40)]
    assert sum(effect == 1.0 for effect in effects) >= 34


@pytest.mark.parametrize("burst", [10, 50])
def test_a_burst_is_one_event(burst) -> None:
    effects = [design_effect(*slices(in_bursts(seed, burst))) for seed in range(40)]
    assert 0.6 * burst <= float(np.median(effects)) <= 3 * burst


def test_too_few_to_tell_and_nothing_to_tell() -> None:
    flags = np.arange(50) % 7 == 0
    assert design_effect(*slices(flags)) is None
    assert events(*slices(flags)) is None
    assert design_effect(*slices(np.zeros(1000, bool))) == 1.0
    assert events(*slices(np.zeros(1000, bool))) == 0.0


def test_a_spell_is_one_event_however_long() -> None:
    n, over = np.full((60, 10), 5.0), np.zeros((60, 10))
    over[10:15], over[40] = 5.0, 5.0
    assert spell_windows(n.sum(axis=1), over.sum(axis=1)) == [(9, 16), (39, 42)]
    assert events(n, over) == pytest.approx(300**2 / (250**2 + 50**2))


def test_an_empty_window_does_not_end_a_spell() -> None:
    n, over = np.full(20, 50.0), np.zeros(20)
    over[5:10] = 50.0
    n[7] = over[7] = 0.0
    assert spell_windows(n, over) == [(4, 11)]
    n[:3] = 0.0
    assert spell_windows(n, over) == [(4, 11)]
