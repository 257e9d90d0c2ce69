"""One verdict for a whole run: breaches that are found, spells that are not, whatever the levels and the workers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from windows import flat_window

from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.stats.run_evidence import COLD, GROSS, LASTING, MIDWAY, POOLED, Judgement, RunEvidence

Q = 0.05


def windows_of(flags: np.ndarray, rate: int = 50) -> list[Window]:
    """A window a second, in slices of time."""
    found = []
    for i, second in enumerate(flags[: len(flags) // rate * rate].reshape(-1, rate)):
        parts = [(len(part), int(part.sum())) for part in np.array_split(second, 10)]
        found.append(flat_window(i, ok=rate, over=int(second.sum()), over_batches=tuple(parts), level=0, users=1))
    return found


def judged(windows: Sequence[Window], levels: Sequence[int]) -> tuple[Judgement | None, int, RunEvidence]:
    """(the first breach, after how many windows, the evidence)."""
    run, ends = RunEvidence(Q, levels), np.cumsum(levels)
    for i, each in enumerate(windows):
        counts, level = each.counts, int(np.searchsorted(ends, i, side="right"))
        found = run.observe(each.start_s, each.end_s, each.completed, counts.over, counts.over_batches, level)
        if found is not None:
            return found, i + 1, run
    return None, len(windows), run


def share(rng: np.random.Generator, *parts: tuple[float, int], rate: int = 50) -> np.ndarray:
    return np.concatenate([rng.random(length_s * rate) < part for part, length_s in parts])


@pytest.mark.parametrize(
    ("parts", "levels", "rate", "rule", "within_s"),
    [
        pytest.param([(0.4, 20)], [120], 50, GROSS, 6, id="gross"),
        pytest.param([(0.02, 60), (0.1, 60)], [120], 50, MIDWAY, 115, id="twice the share begins midway"),
        pytest.param([(0.02, 60), (1.0, 60)], [120], 50, LASTING, 91, id="nothing gets through any more"),
        pytest.param([(1.0, 60)], [120], 50, COLD, 12, id="a cold start that does not end"),
        pytest.param([(0.1, 300)], [20] * 15, 20, POOLED, 90, id="a ramp of thin levels"),
    ],
)
def test_breaches_are_found(parts, levels, rate, rule, within_s) -> None:
    for seed in range(5):
        flags = share(np.random.default_rng(seed), *parts, rate=rate)
        found, after_s, _ = judged(windows_of(flags, rate), levels)
        assert found is not None
        assert after_s <= within_s
        if rule != POOLED:
            assert found.rule == rule


@pytest.mark.parametrize(
    ("draw", "levels"),
    [
        pytest.param(lambda rng: share(rng, (0.04, 120)), [120], id="independent"),
        pytest.param(lambda rng: np.repeat(share(rng, (0.04, 60), rate=1), 100), [120], id="bursts of 100"),
        pytest.param(lambda rng: share(rng, (1.0, 3), (0.0, 117)), [120], id="a cold start of 3 s, then perfect"),
        pytest.param(lambda rng: share(rng, (0.0, 50), (1.0, 5), (0.0, 65)), [120], id="a pause of 5 s"),
        pytest.param(lambda rng: share(rng, *[(0.0, 96), (1.0, 4)] * 3), [300], id="a pause of 4 s in 100"),
        pytest.param(
            lambda rng: np.repeat(share(rng, (0.04, 60), rate=50), 10), [20] * 30, id="30 levels, bursts of 10"
        ),
    ],
)
def test_healthy_runs_are_not_stopped(draw, levels) -> None:
    stops = [judged(windows_of(draw(np.random.default_rng(seed))), levels)[0] for seed in range(12)]
    assert sum(stop is not None for stop in stops) <= 1


@pytest.mark.parametrize("rate", [50, 400])
def test_a_spell_that_ends_before_five_seconds_is_no_gross_breach(rate) -> None:
    """Half over for 4.6 s: every window has enough of them, but the end of the last one has none."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        flags = share(rng, (0.5, 5), (0.0, 115), rate=rate)
        flags[round(4.6 * rate) : 5 * rate] = False
        assert judged(windows_of(flags, rate), [120])[0] is None
        found, after_s, _ = judged(windows_of(share(rng, (0.5, 7), (0.0, 113), rate=rate), rate), [120])
        assert found is not None
        assert (found.rule, after_s) == (GROSS, 5)


def test_a_cold_start_is_named_and_left_out() -> None:
    flags = share(np.random.default_rng(1), (1.0, 3), (0.0, 57), (1.0, 2), (0.0, 58))
    found, _, run = judged(windows_of(flags), [60, 60])
    assert found is None
    assert [(cold.level, cold.start_s, cold.length_s, cold.over) for cold in run.cold_starts] == [
        (0, 0.0, 3.0, 150),
        (1, 60.0, 2.0, 100),
    ]
    assert run.standing(0).answer == "met"
    assert run.standing(0).over == 0


def test_met_spends_its_alpha_over_the_levels() -> None:
    _, _, run = judged(windows_of(np.zeros(10 * 50, bool), 50), [10])
    assert run.standing(0).answer == "met"
    few = judged(windows_of(np.zeros(10 * 13, bool), 13), [10])[2]
    assert few.standing(0).answer == "met"
    assert few.standing(0, spent=1 / (9 * 10)).answer == "undecided"
    assert judged(windows_of(np.zeros(2 * 50, bool)), [10])[2].standing(0).rule == "too few samples"


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 8), st.sampled_from([(0.04, 40), (0.2, 1), (0.1, 10)]), st.integers(0, 1000))
def test_workers_change_nothing(workers, stream, seed) -> None:
    """Any split of the requests over workers, by chance: the same evidence, look for look, as one process has."""
    rng = np.random.default_rng(seed)
    probability, burst = stream
    rate, length_s = 100, 20
    flags = np.repeat(rng.random(rate * length_s // burst) < probability, burst)
    owner = rng.integers(workers, size=flags.size)
    cell = np.arange(rate) * 10 // rate + 10 * owner.reshape(-1, rate)  # worker and slice of each request
    whole = windows_of(flags, rate)
    merged = []
    for i, window in enumerate(whole):
        second = flags[i * rate : (i + 1) * rate]
        n = np.bincount(cell[i], minlength=10 * workers).reshape(workers, 10)
        over = np.bincount(cell[i], weights=second, minlength=10 * workers).astype(int).reshape(workers, 10)
        parts = [
            flat_window(
                i,
                ok=int(n[k].sum()),
                over=int(over[k].sum()),
                over_batches=tuple(zip(n[k].tolist(), over[k].tolist(), strict=True)) if n[k].any() else (),
                level=0,
                users=1,
            )
            for k in range(workers)
        ]
        merged.append(merge_windows(parts))
        assert merged[-1].counts.over_batches == window.counts.over_batches
    one, many = judged(whole, [length_s]), judged(merged, [length_s])
    assert one[:2] == many[:2]
    assert one[2].standing(0) == many[2].standing(0)


def test_a_look_at_a_long_run_costs_no_more_than_a_short_one() -> None:
    """Starts are thinned, and what was asked in vain is asked again only when it has grown."""
    run = RunEvidence(Q, [1000])
    asked = 0
    for i in range(1000):
        n_over = 3 if i % 2 else 2  # at the limit
        run.observe(i, i + 1.0, 50, n_over, ((5, 0),) * 8 + ((5, n_over), (5, 0)), 0)
        asked += sum(start.asked == i + 1 for start in run.starts)
    assert len([*run.starts]) <= 98
    assert asked <= 1000
