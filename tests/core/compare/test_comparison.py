"""Two sides in virtual time: what is slower is found, what is equal is not, and what a run's end hides is said."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from pairs import stairs_run

from loadtest.core.compare.comparison import Comparison, Row, compare
from loadtest.core.result.result import RunResult


@cache
def run(seed: int, **given: object) -> RunResult:
    return stairs_run(seed, **given)  # type: ignore[arg-type]


def row(found: Comparison, metric: str, level: int | None = None) -> Row:
    return next(each for each in found.rows if (each.metric, each.level) == (metric, level))


def test_slower_service_is_worse_in_every_way_that_shows_it() -> None:
    found = compare([run(1)], [run(2, service_ms=46.0)])
    assert found.answer == "worse"
    assert {row(found, name).answer for name in ("throughput", "p50", "p95", "best rate")} == {"worse"}
    slower = row(found, "p50")
    assert slower.low is not None
    assert slower.high is not None
    assert 0 < slower.low < 0.15 < slower.high
    assert row(found, "throughput", 0).users == "2"
    assert not found.of("better")


def test_the_other_way_round_it_is_better() -> None:
    found = compare([run(2, service_ms=46.0)], [run(1)])
    assert found.answer == "better"
    assert not found.of("worse")


def test_a_run_against_itself_differs_by_nothing() -> None:
    found = compare([run(1)], [run(1)])
    assert not found.of("worse")
    assert not found.of("better")
    assert all(each.difference in (0.0, None) for each in found.rows)
    assert all(each.low is None or each.low <= 0 for each in found.rows)


def test_within_a_wide_margin_it_is_the_same() -> None:
    found = compare([run(1)], [run(3)], margin=0.5)
    assert row(found, "throughput").answer == row(found, "p50").answer == "same"
    assert row(compare([run(1)], [run(3)], margin=0.0), "p50").answer == "undecided"


def test_a_difference_within_the_margin_is_not_worse() -> None:
    slower = [run(2, service_ms=46.0)]
    assert row(compare([run(1)], slower, margin=0.4), "p50").answer == "same"
    assert not compare([run(1)], slower, margin=0.4).of("worse")
    close = compare([run(1)], slower, margin=0.16)
    assert row(close, "p50").answer == "undecided", "surely slower, and not surely by more than what matters"


def test_the_error_probability_is_shared_by_all_rows() -> None:
    once, thrice = compare([run(1)], [run(3)]), compare([run(1)], [run(3)], alpha=0.001)
    a, b = row(once, "p50"), row(thrice, "p50")
    assert a.low is not None
    assert b.low is not None
    assert b.low < a.low


def test_repeats_count_what_differs_between_runs() -> None:
    calm = [run(seed) for seed in (1, 2, 3)]
    # One of each side ran on a machine half as fast.
    noisy = [run(4), run(5), run(6, service_ms=60.0)]
    close, wide = compare(calm, [run(seed) for seed in (4, 5, 6)]), compare(calm, noisy)
    assert wide.runs == (3, 3)
    narrow_row, wide_row = row(close, "p50"), row(wide, "p50")
    assert narrow_row.high is not None
    assert wide_row.high is not None
    assert wide_row.high > 2 * narrow_row.high
    assert wide_row.answer == "undecided"


def test_two_repeats_stretch_what_one_run_says() -> None:
    alone = row(compare([run(1)], [run(4)]), "p50")
    noisy = row(compare([run(1), run(2)], [run(4), run(6, service_ms=60.0)]), "p50")
    assert alone.high is not None
    assert noisy.high is None or noisy.high > alone.high


def test_a_broken_threshold_is_worse_though_its_level_was_cut_short() -> None:
    held = [run(seed, limit_ms=150) for seed in (1, 2, 3)]
    broken = [run(seed, limit_ms=150, more=",stall_ratio=0.9,stall_ms=200") for seed in (4, 5, 6)]
    assert {each.reason.value for each in broken} == {"LATENCY"}
    found = compare(held, broken)
    over = row(found, "over the limit")
    assert found.answer == over.answer == "worse"
    assert over.a == 0.0
    assert over.b is not None
    assert over.b > 0.8
    assert row(found, "best rate").answer == "undecided", "the runs ended at different levels"
    assert all(each.level is None for each in found.rows), "no level was completed by both"


def test_errors() -> None:
    found = compare([run(1)], [run(2, more=",error_ratio=0.1")])
    assert row(found, "error share").answer == "worse"
    share = row(found, "error share").b
    assert share == pytest.approx(0.1, abs=0.03)


def test_a_run_that_failed_is_worse() -> None:
    failed = run(2, error_budget=0.01, more=",error_ratio=0.9")
    found = compare([run(1, error_budget=0.01)], [failed])
    assert failed.reason.value == "ERRORS"
    assert found.answer == row(found, "failed runs").answer == "worse"
    assert compare([failed], [run(1, error_budget=0.01)]).answer == "better"


def test_different_plans_are_matched_by_users() -> None:
    found = compare([run(1)], [run(2, service_ms=46.0, steps=2, length_s=40)])
    assert {each.users for each in found.rows if each.level is not None} == {"2", "4"}
    assert found.answer == "worse"


def test_one_level_is_the_whole_run() -> None:
    found = compare([run(1, steps=1, length_s=30)], [run(2, steps=1, length_s=30)])
    assert all(each.level is None for each in found.rows)


def test_nothing_measured_is_undecided_not_an_error() -> None:
    empty = replace(run(1), windows=())
    found = compare([empty], [run(2)])
    assert found.answer == "undecided"
    assert {each.answer for each in found.rows} == {"undecided"}


def test_a_side_without_a_run() -> None:
    with pytest.raises(ValueError, match="each side"):
        compare([], [run(1)])
