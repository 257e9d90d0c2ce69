"""One process' share of a run, cut into windows: what belongs to which level, and what a window knows."""

from __future__ import annotations

import time
from dataclasses import replace

import gevent
import pytest
from engine_kit import plan_of
from held_target import HeldTarget, until
from patched import patched

from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import PayloadSource, open_plan
from loadtest.engine.generator.generator import Generator
from loadtest.errors import SpecError

PLAN = plan_of((0.0, 2), end_s=60.0, target="null:", window_s=1.0)


class Named(HeldTarget):
    facts = {"target_url": "http://here"}  # noqa: RUF012


def began(generator: Generator, ago_s: float = 0.0) -> Generator:
    generator.begin(time.monotonic() - ago_s)
    until(lambda: generator.running > 0)
    return generator


@patched
def test_a_window_holds_what_happened_in_it() -> None:
    target = HeldTarget()
    here = began(Generator(PLAN, PLAN.curve, target))
    until(lambda: target.invoked > 10)
    window, audit = here.take(0, here.now_s())
    assert (window.index, window.level, window.users, window.load.running) == (0, 0, 2, 2)
    assert window.ok + window.load.in_flight >= 10
    assert [row[:2] for row in audit["starts"]] == [(0, 0.0), (1, 0.0)]  # type: ignore[attr-defined]
    assert (window.health.spawned, audit["stops"]) == (2, [])
    later, audit = here.take(1, here.now_s())
    assert (later.start_s, later.health.spawned, audit["starts"]) == (window.end_s, 0, [])
    here.release()
    until(lambda: not here.running)
    here.close()
    assert target.closed == 1


@patched
def test_a_window_that_came_too_late_belongs_to_no_level() -> None:
    here = began(Generator(PLAN, PLAN.curve, HeldTarget()), ago_s=5.0)
    late, _ = here.take(0, 1.0)
    assert (late.level, late.users) == (None, 2), "it was planned to end 4 s ago"
    here.release()
    draining, _ = here.take(5, here.now_s())
    assert (draining.level, draining.users) == (None, 0), "after the release nobody is planned"
    here.close()


@patched
def test_a_window_before_the_start_has_no_length() -> None:
    here = Generator(PLAN, PLAN.curve, HeldTarget())
    here.begin(time.monotonic() + 60)
    window, _ = here.take(0, 0.0)
    assert (window.start_s, window.end_s, window.completed) == (0.0, 0.0, 0)
    here.release()
    here.close()


@patched
def test_requests_in_flight_are_cut_and_told() -> None:
    target = HeldTarget()
    target.open.clear()
    here = began(Generator(PLAN, PLAN.curve, target))
    until(lambda: target.invoked == 2)
    gevent.sleep(0.02)
    here.release()
    assert here.cut() == 2
    window, _ = here.take(0, here.now_s())
    assert window.counts.errors == {"cut": 2}
    here.close()


@patched
def test_another_part_of_the_curve_is_taken_up() -> None:
    here = began(Generator(PLAN, PLAN.curve, HeldTarget()))
    here.replan(plan_of((0.0, 5), end_s=60.0).curve)
    until(lambda: here.running == 5)
    window, _ = here.take(0, here.now_s())
    assert window.users == 5
    here.release()
    here.close()


@patched
def test_what_it_sends_and_where_is_known() -> None:
    here = Generator(PLAN, PLAN.curve, Named())
    assert here.facts == {"target_url": "http://here"}
    other = Generator(PLAN, PLAN.curve, HeldTarget())
    assert other.facts == {}
    assert here.payload_digest == other.payload_digest
    assert len(here.payload_digest) == 64
    with pytest.raises(SpecError, match="payload"):
        Generator(replace(PLAN, payload=PayloadSource("/nowhere")), PLAN.curve, HeldTarget())


@patched
def test_an_open_workload_tells_of_its_sends() -> None:
    plan = open_plan(PLAN, Arrivals(100.0, 60.0), 20)
    here = Generator(plan, plan.curve, HeldTarget())
    here.begin(time.monotonic())
    gevent.sleep(0.15)
    window, audit = here.take(0, here.now_s())
    assert window.sends.intended >= 10
    assert (window.users, audit) == (20, {"starts": [], "stops": []})
    here.release()
    here.close()
