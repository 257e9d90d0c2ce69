"""Held, not held or undecided: a table of replays."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from results import result_with
from windows import flat_window

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.verdict import LatencyVerdict, Trust
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, StopConditions
from loadtest.core.result.confirmation import Confirmation, backlog_of, confirmation_of, unconfirmed
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, open_plan

RATE = 100
VALID = Trust(valid=True, client_limited=False)


def _windows(in_flight: list[float], **counts: Any) -> list[Window]:
    each = {"ok": RATE, "intended": RATE, **counts}
    return [
        flat_window(index=i, start_s=i, end_s=i + 1, level=0, users=1000, running=5, active=n, in_flight=n, **each)
        for i, n in enumerate(in_flight)
    ]


STEADY = [5.0] * 9


def _replay(
    in_flight: list[float] = STEADY,
    *,
    reason: Reason = Reason.CURVE_END,
    answer: str | None = None,
    trust: Trust = VALID,
    budget: float | None = None,
    **counts: Any,
) -> RunResult:
    threshold = None if answer is None else LatencyThreshold(0.95, 100)
    stop = StopConditions(latency=threshold, max_error_ratio=budget)
    closed = Plan(TrafficCurve((Step(0.0, 1),), 1.0), stop, TargetRef("null:"))
    overall = None if answer in (None, "none") else LatencyVerdict(answer, 0.95, 100, "client")  # type: ignore[arg-type]
    windows = _windows(in_flight, **counts)
    return result_with(open_plan(closed, Arrivals(RATE, 9)), windows, Stop(reason), overall=overall, trust=trust)


@pytest.mark.parametrize(
    ("replay", "answer", "words"),
    [
        ({}, "held", ""),
        ({"answer": "met"}, "held", ""),
        ({"ok": 100, "errors": {"server_error": 1}}, "held", ""),
        ({"answer": "not met"}, "not held", "threshold was not met"),
        ({"answer": "not met", "reason": Reason.LATENCY}, "not held", "threshold ended it"),
        ({"reason": Reason.TARGET_DOWN, "ok": 0}, "not held", "stopped answering"),
        ({"reason": Reason.ERRORS, "budget": 0.1}, "not held", "budget"),
        ({"ok": 98, "errors": {"throttled": 2}}, "not held", "18 of 900 requests failed"),
        ({"ok": 98, "errors": {"throttled": 2}, "budget": 0.03}, "held", ""),
        ({"dropped": 1}, "not held", "9 requests were dropped: 1,000 were in flight"),
        ({"in_flight": [10.0 * i for i in range(9)]}, "not held", "kept growing"),
        ({"answer": "undecided"}, "undecided", "threshold is undecided"),
        ({"answer": "none"}, "undecided", "threshold is undecided"),
        ({"reason": Reason.USER}, "undecided", "stopped on request"),
        ({"reason": Reason.ENGINE_LOST}, "undecided", "lost"),
        ({"in_flight": [5.0] * 5}, "undecided", "too short"),
        ({"ok": 0}, "undecided", "no request succeeded"),
        ({"late": 11, "very_late": 11}, "undecided", "99 of 900 requests left over 10 ms late"),
        # A schedule that was not kept proves nothing against the endpoint.
        ({"dropped": 1, "late": 11, "very_late": 11}, "undecided", "over 10 ms late"),
        ({"answer": "not met", "trust": Trust(False, True)}, "undecided", "load generator set the pace"),
        # Late by less, or more rarely: the response latency counts it anyway.
        ({"late": 50, "very_late": 5}, "held", ""),
    ],
)
def test_the_answer_and_its_reasons(replay: dict[str, Any], answer: str, words: str) -> None:
    found = confirmation_of(_replay(**replay), 0.8, 7500)
    assert (found.answer, bool(found.reasons)) == (answer, answer != "held"), found.reasons
    assert words in "; ".join(found.reasons)


def test_the_figures() -> None:
    found = confirmation_of(_replay(ok=90, late=1), 0.8, 7500)
    assert (found.share, found.found_per_min, found.rate_per_s, found.law) == (0.8, 7500, 100, "constant")
    assert (found.achieved_per_s, found.intended, found.late, found.backlog) == (90, 900, 9, "steady")
    assert Confirmation.from_dict(asdict(found)) == found


@pytest.mark.parametrize(
    ("in_flight", "backlog"),
    [
        ([5.0] * 5, None),
        (STEADY, "steady"),
        ([10.0 * i for i in range(9)], "growing"),
        # 1.5 % too slow grows by 1.5 a second here: hidden in the noise of three windows, plain in sixty.
        ([20 + 1.5 * i for i in range(9)], "steady"),
        ([20 + 1.5 * i for i in range(60)], "growing"),
        # A pause, wherever it lies, is no growth.
        ([500.0, *STEADY], "steady"),
        ([*STEADY, 500.0], "steady"),
        ([5.0] * 4 + [500.0] + [5.0] * 4, "steady"),
        # A slow endpoint has much in flight, but no more and more of it.
        ([800.0, *[1000.0] * 11], "steady"),
    ],
)
def test_backlog(in_flight: list[float], backlog: str | None) -> None:
    assert backlog_of(_windows(in_flight)) == backlog


def test_a_closed_workload_confirms_nothing() -> None:
    replay = _replay()
    with pytest.raises(ValueError, match="closed"):
        confirmation_of(replace(replay, plan=replace(replay.plan, arrivals=None)), 0.8, 7500)


@pytest.mark.parametrize(
    ("answer", "gate", "strict", "code"),
    [
        ("held", True, True, 0),
        ("not held", False, True, 0),
        ("not held", True, False, 99),
        ("undecided", True, False, 0),
        ("undecided", False, True, 3),
    ],
)
def test_exit_codes_and_the_trip_through_a_dict(answer: str, gate: bool, strict: bool, code: int) -> None:
    result = replace(_replay(), confirmation=replace(unconfirmed(0.8, "why"), answer=answer))  # type: ignore[arg-type]
    assert exit_code(result, gate=gate, strict=strict) == code
    assert RunResult.from_dict(result.to_dict()).confirmation == result.confirmation
