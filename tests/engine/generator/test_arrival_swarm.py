"""Senders of an open workload: each request at its time, whatever is unanswered; one too many is dropped."""

from __future__ import annotations

import time

import gevent
from held_target import HeldTarget, until
from patched import patched
from windows import flat_frame

from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.record import Recorder
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.generator.arrival_swarm import ArrivalSwarm
from loadtest.payload.payload import load_payloads

BODIES = load_payloads(PayloadSource(None))
RATE = Arrivals(200.0, 0.2)  # 40 requests


def limit(requests: int) -> TrafficCurve:
    return TrafficCurve((Step(0.0, requests),), 0.2)


def swarm(target: HeldTarget, numbers: tuple[int, int] = (0, 1)) -> tuple[ArrivalSwarm, Recorder]:
    recorder = Recorder()
    return ArrivalSwarm(RATE, target, BODIES, recorder, 1, numbers), recorder


@patched
def test_every_arrival_is_sent_once_and_answered() -> None:
    target = HeldTarget()
    here, recorder = swarm(target)
    here.follow(limit(50), time.monotonic())
    until(lambda: target.invoked == 40 and here.age_sum_s() == 0.0)
    here.release(1.0)
    until(lambda: here.running == 0)
    sends, window = here.take_sends(), recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0))
    assert (sends.intended, sends.dropped, window.ok, target.invoked) == (40, 0, 40, 40)
    assert here.take_sends().intended == 0, "what was told is told"
    assert here.audit() == ([], [])


@patched
def test_nobody_waits_for_an_answer_and_one_too_many_is_dropped() -> None:
    target = HeldTarget()
    target.open.clear()
    here, recorder = swarm(target)
    here.follow(limit(7), time.monotonic())
    gevent.sleep(0.02)
    sends = here.take_sends()
    assert (sends.intended, sends.dropped, target.invoked, here.running) == (40, 33, 7, 7)
    assert here.age_sum_s() > 0
    here.release(1.0)
    assert here.cut() == 7
    until(lambda: here.running == 0)
    window = recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0))
    assert (window.ok, window.counts.errors) == (0, {"cut": 7})


@patched
def test_parts_of_several_processes_add_up() -> None:
    sent = 0
    for part in range(3):
        target = HeldTarget()
        here, _ = swarm(target, (part, 3))
        here.follow(limit(50), time.monotonic())
        until(lambda here=here, target=target: target.invoked > 10 and here.age_sum_s() == 0.0)
        gevent.sleep(0.02)
        here.release(1.0)
        sent += target.invoked
    assert sent == 40


@patched
def test_the_sender_used_last_sends_next() -> None:
    """No more connections are opened than are needed at once."""
    made: list[HeldTarget] = []

    class Shared(HeldTarget):
        def for_user(self) -> HeldTarget:
            made.append(HeldTarget())
            made[-1].pause_s = 0.0
            return made[-1]

    here, _ = swarm(Shared())
    here.follow(limit(50), time.monotonic())
    until(lambda: sum(each.invoked for each in made) == 40)
    here.release(1.0)
    until(lambda: here.running == 0)
    assert len(made) < 40
    assert [each.closed for each in made] == [1] * len(made)


@patched
def test_a_target_that_raises_keeps_the_schedule() -> None:
    target = HeldTarget()
    target.raises = RuntimeError("broken")
    here, recorder = swarm(target)
    here.follow(limit(50), time.monotonic())
    until(lambda: target.invoked == 40 and here.age_sum_s() == 0.0)
    here.release(1.0)
    window = recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0))
    assert (target.invoked, window.counts.errors) == (40, {Kind.EXCEPTION.value: 40})


@patched
def test_the_next_rate_begins_after_what_was_sent() -> None:
    target = HeldTarget()
    here, _ = swarm(target)
    start_s = time.monotonic()
    here.follow(limit(50), start_s)
    here.arrivals = Arrivals(200.0, 0.3)
    here.rejoin(limit(50), start_s)
    until(lambda: target.invoked == 60)
    gevent.sleep(0.02)
    assert target.invoked == 60, "none is sent twice"
    here.release(1.0)
