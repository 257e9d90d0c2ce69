from __future__ import annotations

from itertools import pairwise

import pytest
from windows import CALM, changed

from loadtest.core.judge import trust
from loadtest.core.judge.trust import TrustWatch, assess
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef

PLAN = Plan(TrafficCurve((Step(0.0, 10),), 600.0), StopConditions(), TargetRef("mock:"))


def run(count: int, marked: dict[int, dict[str, object]] | None = None) -> list[Window]:
    """A calm run, with other figures in some windows."""
    return [
        changed(CALM, index=i, start_s=float(i), end_s=i + 1.0, **(marked or {}).get(i, {}))  # type: ignore[arg-type]
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("windows", "limited", "codes"),
    [
        pytest.param(run(60), False, [], id="calm"),
        pytest.param(run(60, {30: {"loop_lag_s": 0.1}}), False, [], id="one hiccup of 100 ms"),
        pytest.param(run(60, {i: {"loop_lag_s": 0.1} for i in (5, 25, 45)}), False, [], id="three hiccups in a minute"),
        pytest.param(run(60, {i: {"cpu": 1.0} for i in range(50, 60)}), True, ["cpu"], id="out of breath at the end"),
        pytest.param(run(60, {i: {"in_flight": 8.0} for i in range(60)}), True, ["little"], id="always"),
        pytest.param(run(1800, {i: {"cpu": 1.0} for i in range(7, 10)}), True, ["cpu"], id="3 s of half an hour"),
        pytest.param(
            run(60, {7: {"cpu": 1.0}, 8: {"steal": 0.5}, 9: {"loop_lag_s": 0.1}}),
            True,
            ["cpu", "steal", "loop-lag"],
            id="three reasons in a row",
        ),
        pytest.param(run(60, {0: {"lost_workers": 1}}), False, ["lost-workers"], id="a lost worker"),
        pytest.param(run(60, {0: {"clamped": 400}}), False, ["clamped"], id="clamped latencies"),
        pytest.param(run(60, {0: {"clamped": 3}}), False, [], id="three in 30,000"),
        pytest.param(run(60, {i: {"user_clock": 500} for i in range(60)}), False, [], id="no kernel timestamps at all"),
        pytest.param(run(60, {i: {"user_clock": 50} for i in range(60)}), False, ["user-clock"], id="mixed clocks"),
        pytest.param(run(60, {9: {"clock_step_s": -0.8}}), False, [], id="one step of the clock"),
        pytest.param(
            run(60, {i: {"clock_step_s": 0.004} for i in range(60)}), False, ["clock-step"], id="the clock drifts"
        ),
        pytest.param(run(60, {30: {"suspended_s": 3600.0}}), False, ["suspended"], id="the laptop was closed"),
        pytest.param([*run(20), *run(60)[23:]], False, ["gap"], id="three windows are missing"),
        pytest.param([], False, ["no-data"], id="no windows"),
        pytest.param(run(60, {i: {"ok": 0} for i in range(60)}), False, ["no-data"], id="nothing completed"),
        pytest.param(
            run(60, {i: {"ok": 0, "errors": {"connection": 500}} for i in range(60)}),
            False,
            ["no-data"],
            id="nothing succeeded",
        ),
        pytest.param(
            run(60, {i: {"ok": 0, "errors": {"local": 500}} for i in range(60)}),
            True,
            ["local", "local-limit"],
            id="nothing left",
        ),
    ],
)
def test_trust_of_a_run(windows, limited, codes) -> None:
    trust = assess(PLAN, windows)
    assert trust.client_limited == limited
    assert [reason.code for reason in trust.reasons] == codes
    assert trust.valid == (not codes)


def test_figures_and_how_often() -> None:
    trust = assess(PLAN, run(60, {i: {"cpu": 0.99, "in_flight": 8.0} for i in range(40, 60)}))
    assert trust.figures["cpu_max"] == 0.99
    assert trust.figures["marked_windows"] == 20
    assert trust.figures["little_gap"] == pytest.approx((40 * 0.2 + 20 * 2) / 600)
    assert trust.reasons[0].text == "the generator used 99% of one core (in 20 of 60 windows)"


def test_marks_are_weighed_by_time() -> None:
    """A generator that stood still for 8 of 10 s closed one window, late: that is not one hiccup of three windows."""
    before = run(1)[0]
    frozen = changed(CALM, index=1, start_s=1.0, end_s=9.0, loop_lag_s=7.9, level=None)
    after = changed(CALM, index=9, start_s=9.0, end_s=10.0)
    trust = assess(PLAN, [before, frozen, after])
    assert (trust.valid, trust.client_limited) == (False, True)
    assert [reason.code for reason in trust.reasons] == ["loop-lag"]
    hiccup = changed(CALM, index=1, start_s=1.0, end_s=2.0, loop_lag_s=0.5)
    assert assess(PLAN, [before, hiccup, changed(CALM, index=2, start_s=2.0, end_s=3.0)]).valid


@pytest.mark.parametrize(
    "marked", [{}, {k: {"cpu": 0.97} for k in (3, 4, 5)}, {k: {"steal": 0.3} for k in range(0, 99, 4)}]
)
def test_a_run_so_far_is_judged_like_a_whole_one(marked: dict[int, dict[str, object]]) -> None:
    watch, windows = TrustWatch(PLAN), run(100, marked)
    for i, window in enumerate(windows[:99], 1):
        watch.observe(window)
        assert watch.trust == assess(PLAN, windows[:i])


def test_nothing_speaks_against_a_run_before_a_request_is_over() -> None:
    watch = TrustWatch(PLAN)
    watch.observe(changed(CALM, ok=0))
    assert watch.trust.valid
    assert watch.trust.reasons == ()


def test_a_long_run_is_looked_at_as_often_as_it_grew_by_a_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(trust, "assess", lambda plan, windows: looks.append(len(windows)) or assess(plan, windows))
    watch = TrustWatch(PLAN)
    for window in run(1000):
        watch.observe(window)
    assert looks[:100] == [*range(1, 101)]
    assert len(looks) < 380
    assert all(later <= 1.01 * earlier + 1 for earlier, later in pairwise(looks))
