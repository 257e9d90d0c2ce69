from __future__ import annotations

import numpy as np
import pytest
from windows import flat_frame

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.verdicts import NOT_TOLD, WITHHELD, overall, verdicts
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, Phase, RunOptions, Stairs, StopConditions
from loadtest.core.traffic.arrivals import Arrivals, Sends
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef, open_plan

THRESHOLD = LatencyThreshold(0.95, 100)


def plan(traffic, threshold: LatencyThreshold | None = THRESHOLD, **options) -> Plan:
    return Plan(
        curve_of(traffic),
        StopConditions(latency=threshold, flat_stops=False),
        TargetRef("mock:"),
        options=RunOptions(**options),
    )


def windows(given: Plan, over_share, n: int = 50, *, model: bool = False, **members) -> list[Window]:
    """The plan's windows by the real recorder: over_share(second) of n requests take 150 ms, the others 50 ms."""
    recorder = Recorder(THRESHOLD.limit_ns, given.options.latency_clock)
    rng = np.random.default_rng(1)
    taken = []
    for i in range(round(given.end_s)):
        late = np.zeros(n, bool)
        late[: round(over_share(i) * n)] = True
        for slow in rng.permutation(late):
            ms = 150 if slow else 50
            recorder.record(Outcome(Kind.OK, 200, 0, 0, ms * 10**6, ms * 10**6, 1000 * ms if model else None))
        users = given.curve.users_at(i)
        level = level_of(plan_levels(given), i, i + 1)
        busy = 0.15 * late.sum() + 0.05 * (n - late.sum())
        taken.append(recorder.take(flat_frame(i, i, i + 1.0, level, users, users, float(busy), **members)))
    return taken


def _both(given: Plan, seen: list[Window]) -> tuple[list[Window], object]:
    return seen, verdicts(given, seen)


def test_each_level_by_itself() -> None:
    given = plan(Stairs(2, 3, 90))
    found = verdicts(given, windows(given, lambda s: 0.0 if s < 30 else 0.06 if s < 60 else 0.2))
    assert [verdict.answer for verdict in found] == ["met", "undecided", "not met"]
    assert [verdict.level for verdict in found] == [0, 1, 2]
    assert [verdict.over for verdict in found] == [0, 90, 300]
    assert all(verdict.n == 1500 and verdict.clock == "client" for verdict in found)
    assert found[0].decided_at_s == 8.0, "a run of 90 s: 10 s, three quarters of them"
    assert found[1].more_requests is not None
    assert found[2].rule == "evidence of the level"
    assert found[2].low_ms == pytest.approx(150, rel=1e-2)
    assert found[0].high_ms == pytest.approx(50, rel=1e-2)
    whole = overall(given, *_both(given, windows(given, lambda s: 0.0 if s < 60 else 0.2)))
    assert whole is not None
    assert (whole.answer, whole.level) == ("not met", 2)


@pytest.mark.parametrize(
    ("share", "answer"),
    [
        (lambda s: 0.0, "met"),
        (lambda s: 0.02, "met"),
        (lambda s: 0.06 * (s >= 60), "undecided"),
        (lambda s: 0.05, "undecided"),
    ],
    ids=["none over", "2 %", "the last level is doubtful", "at the limit"],
)
def test_overall(share, answer) -> None:
    given = plan(Stairs(2, 3, 90))
    found = overall(given, *_both(given, windows(given, share, n=100)))
    assert found is not None
    assert (found.answer, found.level) == (answer, None)
    assert (found.rule == "evidence of the run") == (answer == "met")


def test_replay_and_controller_agree() -> None:
    given = plan(Stairs(2, 3, 90))
    for late in (0.12, 0.3):
        controller, seen = Controller(given), []
        for each in windows(given, lambda s, late=late: 0.0 if s < 30 else late):
            seen.append(each)
            controller.observe(each)
            stop = controller.tick(each.end_s)
            if isinstance(stop, Stop):
                break
        assert isinstance(stop, Stop)
        assert stop.reason is Reason.LATENCY
        verdict = verdicts(given, seen)[-1]
        assert verdict.answer == "not met"
        assert verdict.rule == stop.evidence["rule"]
        assert verdict.decided_at_s == stop.evidence["decided_at_s"] == seen[-1].end_s
        assert verdict.level == stop.evidence["level"]


def test_a_ramp_is_judged_on_its_last_minute() -> None:
    """A user a second: no level is long enough, and what was fast at the beginning must not hide what is slow now."""
    given = plan((Phase(1, 60, 180),))
    late = windows(given, lambda s: 0.0 if s < 120 else 0.15)
    controller, stop = Controller(given), None
    for each in late:
        controller.observe(each)
        stop = controller.tick(each.end_s)
        if isinstance(stop, Stop):
            break
    assert isinstance(stop, Stop)
    assert stop.reason is Reason.LATENCY
    assert stop.evidence["level"] is None
    assert stop.evidence["n"] <= 3000
    whole = overall(given, *_both(given, late[: round(each.end_s)]))
    assert whole is not None
    assert whole.answer == "not met"


def test_withheld_if_the_generator_set_the_pace() -> None:
    given = plan(Stairs(2, 2, 60))
    seen = windows(given, lambda s: 0.3, cpu=0.99)
    assert {(verdict.answer, verdict.rule, verdict.decided_at_s) for verdict in verdicts(given, seen)} == {
        ("undecided", WITHHELD, None)
    }
    whole = overall(given, *_both(given, seen))
    assert whole is not None
    assert (whole.answer, whole.rule) == ("undecided", WITHHELD)


@pytest.mark.parametrize(
    ("clock", "model", "expected"), [("auto", True, "model"), ("auto", False, "client"), ("client", True, "client")]
)
def test_which_clock(clock, model, expected) -> None:
    given = plan((Phase(2, 0, 30),), latency_clock=clock)
    (found,) = verdicts(given, windows(given, lambda s: 0.0, model=model))
    assert found.clock == expected


def test_the_models_clock_alone_is_no_clients_clock() -> None:
    given = plan((Phase(2, 0, 30),), latency_clock="model")
    (met,) = verdicts(given, windows(given, lambda s: 0.0))
    assert (met.answer, met.clock) == ("met", "client"), "an upper bound of it is below the limit"
    seen = windows(given, lambda s: 0.5)
    (found,) = verdicts(given, seen)
    assert (found.answer, found.rule, found.more_requests, found.from_n) == ("undecided", NOT_TOLD, None, None)
    whole = overall(given, *_both(given, seen))
    assert whole is not None
    assert (whole.answer, whole.rule) == ("undecided", NOT_TOLD)
    (told,) = verdicts(given, windows(given, lambda s: 0.5, model=True))
    assert (told.answer, told.clock) == ("not met", "model")


def test_the_models_clock_alone_ends_no_run_where_nobody_tells_it() -> None:
    given = plan((Phase(2, 0, 30),), latency_clock="model")
    controller = Controller(given)
    for window in windows(given, lambda s: 0.9):
        controller.observe(window)
    assert not isinstance(controller.tick(29.0), Stop)
    assert {event.facts["answer"] for event in controller.events if event.kind == "verdict"} == {"undecided"}
    assert controller.progress()["latency"]["verdict"] == "undecided"


def test_nothing_to_say() -> None:
    given = plan((Phase(2, 0, 30),))
    assert verdicts(given, []) == ()
    assert overall(given, [], ()) is None
    without = plan((Phase(2, 0, 30),), threshold=None)
    seen = windows(given, lambda s: 0.0)
    assert verdicts(without, seen) == ()
    assert overall(without, seen, ()) is None
    (few,) = verdicts(given, windows(given, lambda s: 0.0, n=1))
    assert (few.answer, few.high_ms) == ("undecided", None)


def test_failures_alone_have_no_interval() -> None:
    given = plan((Phase(2, 0, 30),))
    recorder = Recorder(THRESHOLD.limit_ns)
    seen = []
    for i in range(30):
        for _ in range(50):
            recorder.record(Outcome(Kind.TIMEOUT, 0, 0, 0, 40 * 10**6, 40 * 10**6))
        seen.append(recorder.take(flat_frame(i, i, i + 1.0, 0, 2, 2, 2.0)))
    (found,) = verdicts(given, seen)
    assert (found.answer, found.over, found.low_ms, found.high_ms) == ("not met", 1500, None, None)


def test_what_an_open_generator_was_late_is_withheld_from_the_first_window_on() -> None:
    given = open_plan(plan((Phase(2, 0, 30),)), Arrivals(3000.0, 10.0))
    sends = Sends(intended=3000, late=3000, very_late=2000)
    controller = Controller(given)
    for window in windows(given, lambda s: 0.6, n=3000, sends=sends):
        controller.observe(window)
        assert not isinstance(controller.tick(window.end_s - 0.5), Stop)
    assert any(event.kind == "withheld" and event.at_s <= 2.0 for event in controller.events)
    on_time = Controller(given)
    for window in windows(given, lambda s: 0.6, n=3000, sends=Sends(intended=3000))[:2]:
        on_time.observe(window)
    assert isinstance(on_time.tick(2.0), Stop)
