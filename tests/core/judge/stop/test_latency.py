from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from windows import changed

from loadtest.core.judge.stop.latency import GROSS_RULE, SEQUENCE_RULE, LatencyRule
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.record import BATCH
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.burst import tally_of


def _counts(windows: Sequence[Window]) -> list[Counts]:
    return [window.counts for window in windows]


P95 = LatencyRule(LatencyThreshold(0.95, 100))
P99 = LatencyRule(LatencyThreshold(0.99, 100))


@pytest.mark.parametrize(
    ("rule", "n", "over", "count", "answer", "why"),
    [
        pytest.param(P95, 50, 20, 3, "not met", GROSS_RULE, id="40 % over, three windows"),
        pytest.param(P95, 50, 20, 2, "undecided", "too few samples", id="two windows are too few"),
        pytest.param(P95, 50, 50, 3, "not met", GROSS_RULE, id="all over"),
        pytest.param(P95, 20, 20, 5, "undecided", "too few samples", id="100 requests in five windows"),
        pytest.param(P95, 20, 20, 6, "not met", GROSS_RULE, id="slow endpoint: a stretch is two windows"),
        pytest.param(P95, 1, 1, 89, "undecided", "too few samples", id="89 requests"),
        pytest.param(P95, 1, 1, 90, "not met", GROSS_RULE, id="90 requests in 90 s"),
        pytest.param(P95, 50, 9, 9, "undecided", "too few samples", id="18 % is not gross, and 450 are few"),
        pytest.param(P95, 50, 9, 10, "not met", SEQUENCE_RULE, id="18 %, 500 requests"),
        pytest.param(P95, 50, 0, 60, "met", SEQUENCE_RULE, id="none over"),
        pytest.param(P95, 50, 1, 60, "met", SEQUENCE_RULE, id="2 %"),
        pytest.param(P99, 50, 1, 60, "not met", SEQUENCE_RULE, id="2 % is not met for a P99"),
        pytest.param(P99, 50, 5, 10, "not met", GROSS_RULE, id="10 % is gross for a P99"),
        pytest.param(P95, 60, 3, 300, "undecided", "too close", id="at the limit, however many"),
        pytest.param(P95, 0, 0, 10, "undecided", "no requests", id="no data, no verdict"),
    ],
)
def test_verdicts(make_windows, rule, n, over, count, answer, why) -> None:
    windows = make_windows([n] * count, over=[over] * count)
    judgement = rule.judge(tally_of(_counts(windows)), _counts(windows))
    assert judgement.answer == answer
    assert judgement.rule.startswith(why)
    if judgement.answer == "not met":
        evidence = rule.evidence(judgement)
        assert evidence["over"] / evidence["n"] == evidence["over_share"]
        assert evidence["share_low"] > 0.8 * evidence["allowed_share"]
        assert evidence["rule"] == why


def test_failures_are_over(make_windows) -> None:
    windows = make_windows([30] * 3, failed=[20] * 3, over=[20] * 3)
    assert P95.judge(tally_of(_counts(windows)), _counts(windows)).answer == "not met"


def test_one_good_stretch_ends_a_gross_breach(make_windows) -> None:
    assert P95.judge(tally_of([]), _counts(make_windows([50] * 3, over=[50, 50, 4]))).answer == "undecided"


def stops_after(flags: np.ndarray, make_windows, rule: LatencyRule = P95, per_window: int = 50) -> int | None:
    """After how many requests a run that is looked at every window stops; None: never."""
    parts = flags[: len(flags) // per_window * per_window].reshape(-1, per_window)
    windows = []
    for i, part in enumerate(parts):
        sizes = tuple((BATCH, int(batch.sum())) for batch in part.reshape(-1, BATCH))
        windows += make_windows([per_window], over=[int(part.sum())], first=i)
        windows[-1] = changed(windows[-1], over_batches=sizes)
        # The counts must be there first: most windows of a healthy run need no more than them.
        if rule.judge(tally_of(_counts(windows)), _counts(windows[-3:])).answer == "not met":
            return (i + 1) * per_window
    return None


def in_bursts(rng: np.random.Generator, share: float, burst: int, n: int) -> np.ndarray:
    start = int(rng.integers(burst))
    return np.repeat(rng.random(n // burst + 2) < share, burst)[start : start + n]


@pytest.mark.parametrize(
    ("share", "burst", "requests", "runs", "stops"),
    [
        # The bounds are the claims, widened to what 1 in 10,000 samples of so few runs would show.
        pytest.param(0.04, 1, 1500, 30, (0, 3), id="healthy, independent"),
        pytest.param(0.04, 10, 1500, 30, (0, 3), id="healthy, bursts of 10"),
        pytest.param(0.04, 20, 1500, 30, (0, 3), id="healthy, bursts of 20"),
        pytest.param(0.40, 1, 250, 60, (56, 60), id="gross breach, within 5 s"),
        pytest.param(0.20, 1, 1000, 40, (37, 40), id="20 % over, within 1,000"),
        pytest.param(0.10, 10, 4000, 20, (13, 20), id="10 % over in bursts of 10, within 4,000"),
    ],
)
def test_false_stops_and_power(make_windows, share, burst, requests, runs, stops) -> None:
    rng = np.random.default_rng([7, burst, requests])
    found = sum(stops_after(in_bursts(rng, share, burst, requests), make_windows) is not None for _ in range(runs))
    assert stops[0] <= found <= stops[1]


@pytest.mark.parametrize(
    ("n", "low", "high"),
    # The ranks that tables of distribution-free intervals give for the 95th percentile.
    [(10, 8, None), (71, 63, None), (72, 64, 72), (100, 90, 100), (200, 184, 197), (500, 465, 485), (1000, 936, 964)],
)
def test_ranks_of_the_interval(n, low, high) -> None:
    assert P95.ranks(n, n) == (low, high)


def test_ranks_are_those_of_the_binomial_and_widen_with_bursts() -> None:
    n, p = 200, 0.95
    mass = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    low, high = P95.ranks(n, n)
    assert high is not None
    assert sum(mass[low:high]) >= 0.95  # P(low <= K < high), K of n below the percentile
    assert sum(mass[low + 1 : high - 1]) < 0.95
    wide_low, wide_high = P95.ranks(1000, 200)
    assert wide_low <= 920
    assert wide_high is not None
    assert wide_high >= 984
    assert P95.ranks(1, 1) == (1, None)


@pytest.mark.parametrize(("n", "over"), [(0, 0), (50, 0), (400, 24), (400, 60), (1000, 42)])
def test_the_estimate_of_more_requests_does_decide(make_windows, n, over) -> None:
    tally = tally_of(_counts(make_windows([n], over=[over])))
    more = P95.more_requests(tally)
    if not n:
        assert more is None
        return
    assert more is not None
    count = -(-(n + more) // 50)
    windows = make_windows([50] * count, over=_evenly(over / n * 50, count))
    assert P95.judge(tally_of(_counts(windows)), ()).answer != "undecided"


def _evenly(each: float, count: int) -> list[int]:
    return [round(each * (i + 1)) - round(each * i) for i in range(count)]


def test_no_estimate_at_the_limit(make_windows) -> None:
    assert P95.more_requests(tally_of(_counts(make_windows([1000], over=[50])))) is None
