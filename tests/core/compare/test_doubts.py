"""What is said against a comparison, and which plans are no repeats of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pairs import stairs_run

from loadtest.core.compare.doubts import doubts_of, plan_differences
from loadtest.core.judge.decision import Reason
from loadtest.core.judge.verdict import Trust, TrustReason
from loadtest.core.measure.worker import Worker
from loadtest.core.request.spec import LatencyThreshold, RunOptions, Stairs
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import PayloadSource, TargetRef, open_plan

RUN = stairs_run(steps=2, length_s=10)
REPEATED = [RUN, RUN]


def test_repeats_of_one_machine_leave_no_doubt() -> None:
    assert doubts_of(REPEATED, REPEATED) == ()


def test_one_run_a_side() -> None:
    (doubt,) = doubts_of([RUN], [RUN])
    assert doubt.startswith("one run a side")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trust": Trust(False, True, (TrustReason("cpu", "CPU at 97 %", "more workers"),))}, "INVALID: CPU at 97 %"),
        ({"environment": {"processor": "another"}}, "processor not told and another"),
        ({"environment": {"target_url": "http://127.0.0.1:1/"}}, ""),
        ({"reason": Reason.USER}, "ended early (USER)"),
        ({"started_at": 1.0}, "virtual time"),
        ({"workers": (Worker(0, "elsewhere", 0.0, 0.0),)}, "different hosts"),
        ({"workers": (Worker(0, "here", 0.0, 0.0, lost=True),)}, "lost 1 generator process"),
        ({"plan": replace(RUN.plan, workers=2)}, "different numbers of generator processes"),
        ({"plan": replace(RUN.plan, payload=PayloadSource("other.json"))}, "request bodies"),
        ({"plan": replace(RUN.plan, target=TargetRef("mock:servers=9"))}, ""),
    ],
)
def test_what_is_said(changed: dict[str, object], said: str) -> None:
    found = doubts_of(REPEATED, [replace(RUN, **changed), RUN])  # type: ignore[arg-type]
    assert any(said in doubt for doubt in found) if said else not found


def test_a_threshold_that_ended_a_run() -> None:
    broken = stairs_run(limit_ms=150, more=",stall_ratio=0.9,stall_ms=200")
    (doubt,) = (each for each in doubts_of([RUN], [broken]) if "threshold" in each)
    assert doubt.startswith("the candidate ended where it broke its latency threshold at 2 users")


def test_runs_at_the_same_time_disturb_each_other() -> None:
    early, late = (replace(RUN, started_at=at) for at in (100.0, 100.0 + RUN.totals.length_s + 1))
    assert not [doubt for doubt in doubts_of([early], [late]) if "same time" in doubt]
    overlapping = replace(RUN, started_at=105.0)
    assert [doubt for doubt in doubts_of([early], [overlapping]) if "same time" in doubt]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"curve": curve_of(Stairs(1, 2, 10))}, "users over time"),
        ({"limit_s": 5.0}, "the traffic ends after 10 s and 5 s"),
        ({"stop": replace(RUN.plan.stop, latency=LatencyThreshold(0.95, 5))}, "stopping conditions"),
        ({"options": RunOptions(window_s=2.0)}, "window_s is 1.0 and 2.0"),
        ({"options": RunOptions(seed=9)}, ""),
        ({"target": TargetRef("mock:servers=9")}, ""),
        ({"payload": PayloadSource(content_type="text/csv")}, "content type"),
    ],
)
def test_plans(changed: dict[str, object], said: str) -> None:
    found = plan_differences([RUN.plan, replace(RUN.plan, **changed)])  # type: ignore[arg-type]
    assert (said in "; ".join(found)) if said else found == ()


def test_open_plans() -> None:
    one, other = (open_plan(RUN.plan, Arrivals(rate, 10.0, "poisson", 1), 50) for rate in (5.0, 6.0))
    assert plan_differences([one, other]) == ("the arrivals differ",)
    assert "one workload is open, the other closed" in plan_differences([RUN.plan, one])
    reseeded = open_plan(RUN.plan, Arrivals(5.0, 10.0, "poisson", 2), 50)
    assert plan_differences([one, reseeded]) == ()
