"""`--latency-clock model` by CloudWatch's periods: what they decide, and what they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from told import document, minutes, plan_of, run_of

from loadtest.core.judge.verdicts import NOT_TOLD
from loadtest.core.result.model_clock import judged_by_model, persists
from loadtest.core.result.result import RunResult

FAST, SLOW = 50_000, 150_000


def judged(told: Mapping[str, Any] | None, client_ms: float = 150.0, **plan: Any) -> RunResult:
    """A run of one level, whose requests take the client longer than the limit of 100 ms."""
    return judged_by_model(run_of(plan_of(steps=1, **plan), lambda s: client_ms, told))


def mixed(over: int, n: int = 1200) -> list[int]:
    return [FAST] * (n - over) + [SLOW] * over


def test_without_cloudwatch_the_client_clock_breaks_nothing_and_says_why() -> None:
    result = judged(None)
    (verdict,) = result.verdicts
    assert (verdict.answer, verdict.rule) == ("undecided", NOT_TOLD)
    assert result.overall is not None
    assert (result.overall.answer, result.overall.rule, result.overall.more_requests) == ("undecided", NOT_TOLD, None)
    assert result.slow is None


def test_the_clients_upper_bound_is_enough_where_it_meets_the_threshold() -> None:
    result = judged(document(*minutes(5, FAST)), client_ms=60.0)
    assert [(each.answer, each.clock) for each in result.verdicts] == [("met", "client")]
    assert result.overall is not None
    assert result.overall.answer == "met"


def test_minutes_without_a_request_over_meet_it() -> None:
    result = judged(document(*minutes(5, FAST)))
    (verdict,) = result.verdicts
    assert (verdict.answer, verdict.clock, verdict.n, verdict.over) == ("met", "model", 4800, 0)
    assert "in 4 whole periods of 60 s" in verdict.rule
    assert (verdict.low_ms, verdict.high_ms) == (None, None), "percentiles of minutes have no interval"
    assert result.overall is not None
    assert (result.overall.answer, result.overall.clock) == ("met", "model")
    assert result.best is not None, "the client's clock is not what the rate is held against"
    assert result.best.per_min == pytest.approx(1200)
    assert result.latency.clock == "client", "the figure is what was measured"


def test_minutes_mostly_over_break_it() -> None:
    result = judged(document(*minutes(5, lambda i: mixed(900))))
    (verdict,) = result.verdicts
    assert (verdict.answer, verdict.clock) == ("not met", "model")
    assert result.overall == verdict
    assert result.best is None


def test_few_minutes_with_some_over_decide_nothing() -> None:
    result = judged(document(*minutes(5, lambda i: mixed(12))))
    (verdict,) = result.verdicts
    assert (verdict.answer, verdict.rule) == ("undecided", "too few samples, in 4 whole periods of 60 s")
    assert result.overall is not None
    assert result.overall.answer == "undecided"


def test_many_periods_with_some_over_do() -> None:
    many = document(*minutes(11, lambda i: mixed(12)))
    assert [each.answer for each in judged(many, level_s=600).verdicts] == ["met"]
    many = document(*minutes(11, lambda i: mixed(240)))
    assert [each.answer for each in judged(many, level_s=600).verdicts] == ["not met"]


def test_percentiles_alone_bound_the_requests_over_and_may_not_be_close_enough() -> None:
    told = document(*minutes(11, lambda i: mixed(45)))
    for each in told["series"][0]["points"]:
        del each["TC(:100000)"]
    (verdict,) = judged(told, level_s=600).verdicts
    assert verdict.answer == "undecided"
    assert verdict.rule == (
        "in 9 whole periods of 60 s CloudWatch's percentiles allow 117 to 540 of 10,800 requests over the limit"
    )


def test_a_plain_maximum_below_the_limit_is_enough() -> None:
    told = document(*minutes(5, FAST))
    for each in told["series"][0]["points"]:
        for name in ("p50", "p95", "p99", "TC(:100000)"):
            del each[name]
    assert judged(told).verdicts[0].answer == "met"


def test_what_failed_for_the_client_counts_as_over() -> None:
    result = run_of(plan_of(steps=1), lambda s: 150.0, document(*minutes(5, FAST)))
    windows = tuple(
        replace(each, counts=replace(each.counts, errors={"server-error": 15}, over=15)) for each in result.windows
    )
    (verdict,) = judged_by_model(replace(result, windows=windows)).verdicts
    assert (verdict.answer, verdict.over) == ("not met", 3600)


@pytest.mark.parametrize(
    ("told", "level_s", "rule"),
    [
        (document(), 60, "no whole period of 60 s, in which CloudWatch tells the model's own time, lies inside"),
        (document(), 300, "of 4 of the level's whole periods of 60 s CloudWatch did not tell in time"),
        (document(*minutes(4, FAST)), 300, "of 1 of the level's whole periods of 60 s CloudWatch did not tell in time"),
        (
            document(problems=["AWS does not permit x"]),
            300,
            "told nothing of the model's own time: AWS does not permit",
        ),
        (document(*minutes(5, FAST, requests=3000)), 300, "others use the endpoint too"),
    ],
)
def test_where_it_cannot_judge_it_says_why(told: dict[str, Any], level_s: int, rule: str) -> None:
    result = judged(told, level_s=level_s)
    assert result.overall is not None
    assert [each.answer for each in (*result.verdicts, result.overall)] == ["undecided"] * 2
    assert rule in result.verdicts[0].rule
    assert rule in result.overall.rule


def test_another_clock_is_left_alone() -> None:
    told = document(*minutes(5, FAST))
    for clock in ("auto", "client"):
        result = run_of(plan_of(steps=1, clock=clock), lambda s: 150.0, told)
        assert judged_by_model(result) is result
        assert result.verdicts[0].answer == "not met"


def test_one_level_that_is_not_told_leaves_the_run_undecided() -> None:
    result = judged_by_model(run_of(plan_of(), lambda s: 150.0, document(*minutes(5, FAST))))
    assert [each.answer for each in result.verdicts] == ["met", "undecided"]
    assert result.overall is not None
    assert result.overall.answer == "undecided"
    assert result.best is not None
    assert result.best.level == 0


def test_slow_minutes_now_and_then_are_no_breach_that_periods_could_show() -> None:
    """A rule that takes a minute for a moment would see a breach that begins with the slow ones."""
    some = document(*minutes(31, lambda i: mixed(360 if 12 <= i < 18 else 0)))
    (verdict,) = judged(some, level_s=1800).verdicts
    assert verdict.answer != "not met"
    always = document(*minutes(31, lambda i: mixed(120)))
    assert [each.answer for each in judged(always, level_s=1800).verdicts] == ["not met"]


@pytest.mark.parametrize(
    ("over", "answer"),
    [
        ([], False),
        ([90], False),  # one period differs from none
        ([90, 90, 90], True),
        ([70, 72, 68, 71], True),
        ([49, 49, 49], False),
        ([0, 0, 0, 400, 0, 0], False),
        ([0, 0, 300, 400, 350, 0], False),
    ],
)
def test_what_persists_is_over_in_all_periods_alike(over: list[int], answer: bool) -> None:
    whole = run_of(plan_of(steps=1), lambda s: 60.0).windows
    periods = [replace(whole[i], counts=replace(whole[i].counts, ok=1000, over=n)) for i, n in enumerate(over)]
    assert persists(periods, 0.05) is answer
