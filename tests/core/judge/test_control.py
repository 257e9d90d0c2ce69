from __future__ import annotations

import json
from dataclasses import replace

import pytest
from windows import flat_window

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Hold, Reason, Stop
from loadtest.core.judge.stop.final import final_stop
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, Phase, RunOptions, Stairs, StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve, curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

P95 = LatencyThreshold(0.95, 100)


def plan(traffic=(Phase(4, 0, 600),), *, limit_s: float | None = None, **stop) -> Plan:
    return Plan(curve_of(traffic), StopConditions(**stop), TargetRef("mock:"), limit_s=limit_s)


def window(index: int, **members) -> Window:
    values = {"level": 0, "users": 4, "running": 4, "active": 4.0, "in_flight": 4.0, "ok": 50, "latency_sum_s": 4.0}
    return flat_window(index=index, start_s=float(index), end_s=index + 1.0, **(values | members))


def drive(controller: Controller, windows: list[Window]) -> tuple[float, Stop] | None:
    """What an engine does: a window, then a look. (when, why) it stopped."""
    for each in windows:
        controller.observe(each)
        decision = controller.tick(each.end_s)
        if isinstance(decision, Stop):
            return each.end_s, decision
    return None


def slow(n: int = 20) -> dict[str, object]:
    return {"over": n, "over_batches": tuple((10, n // 5) for _ in range(5))}


@pytest.mark.parametrize(
    ("given", "windows", "at_s", "reason"),
    [
        pytest.param(plan(), [window(i) for i in range(90)], None, None, id="no condition"),
        pytest.param(
            plan(max_invocations_per_min=3000), [window(i) for i in range(90)], 60.0, Reason.MAX_INVOCATIONS, id="rate"
        ),
        pytest.param(
            plan(latency=P95), [window(i, **slow()) for i in range(90)], 5.0, Reason.LATENCY, id="gross breach"
        ),
        pytest.param(
            plan(latency=P95), [window(i, **slow(10)) for i in range(2)], None, None, id="two windows say nothing"
        ),
        pytest.param(
            plan(max_error_ratio=0.1),
            [window(i, ok=25, errors={"timeout": 25}) for i in range(9)],
            1.0,
            Reason.ERRORS,
            id="errors",
        ),
        pytest.param(
            plan(), [window(i, ok=0, errors={"timeout": 2}) for i in range(60)], 30.0, Reason.TARGET_DOWN, id="down"
        ),
        pytest.param(
            plan((Phase(4, 0, 10),)), [window(i) for i in range(20)], 10.0, Reason.CURVE_END, id="the curve's end"
        ),
        pytest.param(plan(limit_s=10.0), [window(i) for i in range(20)], 10.0, Reason.JOB_DURATION, id="hard limit"),
        pytest.param(
            plan(latency=P95, max_error_ratio=0.1, max_invocations_per_min=1),
            [window(i, ok=25, errors={"timeout": 25}, **slow()) for i in range(90)],
            1.0,
            Reason.ERRORS,
            id="errors before latency",
        ),
    ],
)
def test_when_and_why_it_stops(given, windows, at_s, reason) -> None:
    stopped = drive(Controller(given), windows)
    assert (stopped and stopped[0]) == at_s
    assert (stopped and stopped[1].reason) == reason


def test_without_one_success_it_is_the_target_that_is_down() -> None:
    dead = {"ok": 0, "errors": {"connection": 50}, **slow(50)}
    controller = Controller(plan((Phase(4, 0, 12),), latency=P95))
    windows = [window(i, **dead) for i in range(11)]
    assert drive(controller, windows) is None  # whatever the threshold
    decision = controller.tick(12.0)
    assert isinstance(decision, Stop)
    found = final_stop(decision, windows, 12.0)
    assert found.reason is Reason.TARGET_DOWN
    assert found.evidence["kinds"] == {"connection": 550}


def test_one_success_makes_failures_count_as_over() -> None:
    dead = {"ok": 0, "errors": {"connection": 50}, **slow(50)}
    given = plan((Phase(4, 0, 60),), latency=P95)
    stopped = drive(Controller(given), [window(0), *(window(i, **dead) for i in range(1, 20))])
    assert stopped is not None
    assert stopped[1].reason is Reason.LATENCY


def test_a_run_that_tried_nothing_found_nothing_down() -> None:
    decision = Controller(plan((Phase(4, 0, 12),))).tick(12.0)
    assert isinstance(decision, Stop)
    assert decision.reason is Reason.CURVE_END


def test_precedence_within_one_look() -> None:
    """All of it at once in one window: the first of the documented order wins."""
    options = RunOptions(rate_window_s=5.0)
    given = replace(plan(latency=P95, max_invocations_per_min=60), options=options)
    five = [window(i, **slow()) for i in range(5)]
    latency = drive(Controller(given), five)
    assert latency is not None
    assert latency[1].reason is Reason.LATENCY
    fast = drive(Controller(given), [window(i) for i in range(5)])
    assert fast is not None
    assert fast[1].reason is Reason.MAX_INVOCATIONS
    at_the_end = replace(given, limit_s=5.0)
    assert drive(Controller(at_the_end), five)[1].reason is Reason.LATENCY  # type: ignore[index]


def test_a_request_wins_and_the_first_stop_stays() -> None:
    controller = Controller(plan(max_invocations_per_min=1))
    controller.observe(window(0))
    controller.request_stop(Reason.USER, {"signal": "SIGINT"})
    first = controller.tick(1.0)
    assert first == Stop(Reason.USER, {"signal": "SIGINT"})
    controller.request_stop(Reason.ENGINE_LOST)
    for i in range(1, 100):
        controller.observe(window(i))
    assert controller.tick(700.0) == first
    assert [event.kind for event in controller.events] == ["stop"]


def test_hold_follows_the_curve() -> None:
    controller = Controller(plan(Stairs(2, 3, 90)))
    assert [controller.tick(t) for t in (0.0, 29.9, 30.0, 89.0)] == [Hold(2), Hold(2), Hold(4), Hold(6)]


def stairs(per_s: list[int], seconds: int = 10, **members) -> list[Window]:
    """A closed loop: latency is users over throughput."""
    return [
        window(
            seconds * k + i,
            level=k,
            users=k + 1,
            running=k + 1,
            active=k + 1.0,
            in_flight=k + 1.0,
            ok=rate,
            latency_sum_s=float(k + 1),
            **members,
        )
        for k, rate in enumerate(per_s)
        for i in range(seconds)
    ]


PLATEAU = [50, 100, 150, 150, 150, 150]


def test_flat_stops_in_the_second_level_beyond_the_knee() -> None:
    stopped = drive(Controller(plan(Stairs(1, 6, 60))), stairs(PLATEAU))
    assert stopped is not None
    at_s, stop = stopped
    assert stop.reason is Reason.FLAT
    assert 45.0 <= at_s <= 50.0
    assert stop.evidence["knee_users"] == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    ("flat_stops", "members"),
    [(False, {}), (True, {"cpu": 0.97})],
    ids=["FlatInvocations: Continue", "generator limited"],
)
def test_flat_is_not_said(flat_stops, members) -> None:
    controller = Controller(plan(Stairs(1, 6, 60), flat_stops=flat_stops))
    stopped = drive(controller, stairs(PLATEAU, **members))
    assert stopped is not None
    assert stopped[1].reason is Reason.CURVE_END
    withheld = [event for event in controller.events if event.kind == "withheld"]
    assert [event.facts["rule"] for event in withheld] == (["flat"] if members else [])


def test_latency_is_withheld_while_the_generator_is_out_of_breath() -> None:
    controller = Controller(plan(latency=P95))
    assert drive(controller, [window(i, cpu=0.99, **slow()) for i in range(20)]) is None
    assert [event.facts.get("rule") for event in controller.events if event.kind == "withheld"] == ["gross breach"]
    assert controller.progress()["latency"]["verdict"] == "undecided"


def test_progress_is_json_at_every_moment() -> None:
    given = plan(Stairs(1, 6, 60), latency=P95, max_invocations_per_min=60_000, max_error_ratio=0.5)
    controller = Controller(given)
    assert json.loads(json.dumps(controller.progress(), allow_nan=False))["max_invocations"] == 0.0
    for each in stairs([50, 100, 150], over_batches=((50, 0),)):
        controller.observe(each)
        progress = json.loads(json.dumps(controller.progress(), allow_nan=False))
        assert all(0 <= progress[name] <= 1 for name in ("time", "max_invocations", "errors"))
        json.dumps([event.facts for event in controller.events], allow_nan=False)
    assert progress["latency"] == {"over_share": 0.0, "allowed_share": 0.05, "requests": 1500, "verdict": "met"}
    assert progress["flat"]["levels"] == 3


def test_every_stop_is_json() -> None:
    for given, windows in (
        (plan(latency=P95), [window(i, **slow()) for i in range(9)]),
        (plan(Stairs(1, 8, 80)), stairs([*PLATEAU, 150, 150])),
        (plan(max_invocations_per_min=60), [window(i) for i in range(60)]),
    ):
        stopped = drive(Controller(given), windows)
        assert stopped is not None
        json.dumps(stopped[1].evidence, allow_nan=False)


def test_a_long_run_keeps_no_more_than_its_last_minute() -> None:
    """What a tick looks at must not grow with the run."""
    controller = Controller(plan((Phase(4, 0, 18_000),), latency=P95, max_invocations_per_min=10**6))
    for i in range(2_000):
        controller.observe(window(i, over_batches=((10, 0),) * 5))
    assert len(controller.remembered) <= 70
    assert all(not kept.counts.over_batches and not kept.latencies.client.encoded for kept in controller.remembered)
    assert isinstance(controller.tick(17_999.0), Hold)


def test_windows_of_a_straddling_or_unknown_level_are_harmless() -> None:
    curve = TrafficCurve((Step(0.0, 1), Step(10.5, 2)), 20.0)
    given = Plan(curve, StopConditions(latency=P95), TargetRef("mock:"))
    windows = [window(i, level=None if i == 10 else int(i > 10), users=1 + (i > 10)) for i in range(20)]
    assert drive(Controller(given), windows)[1].reason is Reason.CURVE_END  # type: ignore[index]
