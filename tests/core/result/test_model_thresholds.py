"""`--threshold` on a latency by the model's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from told import document, minutes, plan_of, run_of

from loadtest.core.judge.verdicts import NOT_TOLD
from loadtest.core.result.model_thresholds import thresholds_by_model
from loadtest.core.result.thresholds import ThresholdVerdict, parse_threshold

FAST, SLOW = 50_000, 150_000


def judged(
    text: str, told: Mapping[str, Any] | None, client_ms: float = 150.0, limit_ms: int | None = 500, **plan: Any
) -> ThresholdVerdict:
    """The answer of a run of one level, whose own threshold is another one, or none."""
    asked = [parse_threshold(text)]
    result = run_of(plan_of(limit_ms, steps=1, **plan), lambda s: client_ms, told).judged(asked)
    (verdict,) = thresholds_by_model(result, asked).thresholds
    return verdict


@pytest.mark.parametrize("limit_ms", [500, 100, None])
@pytest.mark.parametrize(
    ("model_us", "answer"), [(FAST, "met"), (lambda i: [FAST] * 300 + [SLOW] * 900, "not met")], ids=["met", "not met"]
)
def test_what_the_client_cannot_tell_the_periods_do(limit_ms: int | None, model_us: Any, answer: str) -> None:
    verdict = judged("p95<100ms", document(*minutes(5, model_us)), limit_ms=limit_ms)
    assert verdict.answer == answer
    assert verdict.why.startswith(
        "model clock: " + ("0 of 4,800 requests over it or failed; " if answer == "met" else "3,600 of 4,800 requests")
    )


def test_the_clients_upper_bound_is_enough_where_it_is_met() -> None:
    verdict = judged("p95<100ms", document(*minutes(5, SLOW)), client_ms=60.0)
    assert verdict.answer == "met"
    assert "model clock" not in verdict.why


def test_a_limit_that_was_not_counted_is_judged_by_what_percentiles_and_extremes_say() -> None:
    assert judged("p95<120ms", document(*minutes(5, FAST))).answer == "met"  # the maximum is below
    some = judged("p95<120ms", document(*minutes(11, lambda i: [FAST] * 1155 + [SLOW] * 45)), level_s=600)
    assert some.answer == "undecided"
    assert some.why == "model clock: CloudWatch's percentiles allow 117 to 540 of 10,800 requests over the limit"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (None, NOT_TOLD),
        (document(), "of 4 of the level's whole periods of 60 s CloudWatch did not tell in time"),
        (document(*minutes(5, FAST, requests=3000)), "others use the endpoint too"),
    ],
)
def test_undecided_with_the_reason(told: Mapping[str, Any] | None, why: str) -> None:
    verdict = judged("p95<100ms", told)
    assert verdict.answer == "undecided"
    assert why in verdict.why


def test_another_clock_and_other_metrics_are_left_as_they_are() -> None:
    told = document(*minutes(5, FAST))
    assert judged("p95<100ms", told, clock="client").answer == "not met"
    assert judged("error_rate<1%", told).answer == "met"
    assert judged("rate>1/s", told).answer == "met"
