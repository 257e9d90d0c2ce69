from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from loadtest.core.judge.stop.latency import LatencyRule, assumption
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.run_evidence import COLD, GROSS, LEVEL, Judgement

P95 = LatencyRule(LatencyThreshold(0.95, 100))
P99 = LatencyRule(LatencyThreshold(0.99, 100))


def stops_after(windows: Sequence[Window], rule: LatencyRule = P95, run_s: float = 120) -> tuple[str, int] | None:
    """(rule, after how many windows) a run of one level is stopped; None: never."""
    run = rule.evidence_over([run_s])
    for i, each in enumerate(windows, 1):
        counts = each.counts
        found = run.observe(each.start_s, each.end_s, counts.completed, counts.over, counts.over_batches, 0)
        if found is not None:
            return found.rule, i
    return None


@pytest.mark.parametrize(
    ("rule", "n", "over", "run_s", "expected"),
    [
        pytest.param(P95, 50, 20, 120, (GROSS, 5), id="40 % over"),
        pytest.param(P95, 50, 20, 24, (GROSS, 3), id="40 % over in a run of 24 s: three windows at least"),
        pytest.param(P95, 50, 50, 120, (COLD, 11), id="all over: a cold start takes 10 s at most"),
        pytest.param(P95, 10, 5, 120, (GROSS, 5), id="slow endpoint, half over"),
        pytest.param(P95, 50, 10, 120, (LEVEL, 20), id="20 %"),
        pytest.param(P95, 50, 4, 300, (LEVEL, 21), id="8 %"),
        pytest.param(P99, 50, 1, 300, (LEVEL, 34), id="2 % is not met for a P99"),
        pytest.param(P95, 50, 1, 120, None, id="2 %"),
        pytest.param(P95, 60, 3, 300, None, id="at the limit, however many"),
        pytest.param(P95, 0, 0, 120, None, id="no data, no verdict"),
    ],
)
def test_when_a_level_is_broken(make_windows, rule, n, over, run_s, expected) -> None:
    windows = make_windows([n] * run_s, over=[over] * run_s, batch=5)
    found = stops_after(windows, rule, run_s)
    assert (found and found[0]) == (expected and expected[0])
    if found and expected:
        assert found[1] == pytest.approx(expected[1], abs=3)


def test_the_facts_of_a_breach(make_windows) -> None:
    run = P95.evidence_over([120])
    for each in make_windows([50] * 5, over=[20] * 5):
        found = run.observe(each.start_s, each.end_s, 50, 20, each.counts.over_batches, 0)
    assert found is not None
    facts = P95.evidence(found)
    assert (facts["n"], facts["over"], facts["over_share"], facts["rule"], facts["from_s"]) == (250, 100, 0.4, GROSS, 0)
    assert facts["share_low"] > facts["allowed_share"]


def test_failures_are_over(make_windows) -> None:
    assert stops_after(make_windows([30] * 9, failed=[20] * 9, over=[20] * 9)) == (GROSS, 5)


def test_one_good_window_ends_a_gross_breach(make_windows) -> None:
    assert stops_after(make_windows([50] * 9, over=[20, 20, 20, 20, 0, 20, 20, 20, 20])) is None


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


@pytest.mark.parametrize(("n", "over"), [(0, 0), (50, 0), (400, 24), (60, 9), (1000, 42)])
def test_the_estimate_of_more_requests_does_decide(make_windows, n, over) -> None:
    more = P95.more_requests(Judgement("undecided", "", n, over, float(n)))
    if not n:
        assert more is None
        return
    assert more is not None
    count = -(-(n + more) // 50) + 1
    run = P95.evidence_over([count])
    found = None
    for each in make_windows([50] * count, over=_evenly(over / n * 50, count)):
        counts = each.counts
        found = found or run.observe(each.start_s, each.end_s, 50, counts.over, counts.over_batches, 0)
    assert found is not None or run.standing(0).answer == "met"


def _evenly(each: float, count: int) -> list[int]:
    return [round(each * (i + 1)) - round(each * i) for i in range(count)]


def test_no_estimate_at_the_limit() -> None:
    assert P95.more_requests(Judgement("undecided", "", 1000, 50, 1000.0)) is None


def test_what_is_assumed_is_said_where_it_matters() -> None:
    assert assumption(P95, 120, Judgement("not met", GROSS, 1000, 60, 1000.0)) == ""
    said = assumption(P95, 120, Judgement("undecided", "", 1000, 60, 100.0))
    assert said == "spells of 5 s on average are assumed, this run holds 24 of them"
    assert "spells of 1 s" in assumption(P95, 24, Judgement("undecided", "", 1000, 60, 100.0))
