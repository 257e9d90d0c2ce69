"""The engines of a job's tests: what a run that is stopped says, in virtual time."""

from __future__ import annotations

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, Stairs, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.jobs.engines import SimEngine
from loadtest.jobs.signal import StopSignal

PLAN = Plan(
    curve_of(Stairs(2, 3, 90)),
    StopConditions(latency=LatencyThreshold(0.95, 500), flat_stops=False),
    TargetRef("mock:servers=4,service_ms=20"),
)


def test_a_run_to_its_end_and_one_that_is_stopped_are_judged_by_the_same_rules() -> None:
    whole = SimEngine().run(PLAN, lambda window: None, StopSignal())
    signal, seen = StopSignal(), []

    def stop_in_the_second_level(window: Window) -> None:
        seen.append(window)
        if window.index == 44:
            signal.ask()

    stopped = SimEngine().run(PLAN, stop_in_the_second_level, signal)
    assert (stopped.reason, len(stopped.windows)) == (Reason.USER, 45)
    assert stopped.windows == tuple(seen) == whole.windows[:45]
    assert stopped.overall is not None
    assert stopped.overall.answer == "met"
    assert [verdict.level for verdict in stopped.verdicts] == [0, 1]
    assert stopped.verdicts[0] == whole.verdicts[0]
