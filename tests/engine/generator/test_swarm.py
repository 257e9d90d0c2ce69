"""Users start and leave when the curve says, finish what they began, and rest where there is nothing to load."""

from __future__ import annotations

import time
from dataclasses import dataclass

import gevent
from held_target import HeldTarget, until
from patched import patched
from windows import flat_frame

from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.cluster.runners import local_runner
from loadtest.engine.generator.probe import Probe
from loadtest.engine.generator.swarm import PAUSING, WRONG, Swarm
from loadtest.payload.payload import load_payloads

BODIES = load_payloads(PayloadSource(None))


@dataclass
class Bench:
    """A swarm of one runner on one target, with a recorder of its own."""

    target: HeldTarget
    recorder: Recorder
    swarm: Swarm

    def window(self) -> Window:
        return self.recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0))

    def end(self) -> None:
        self.target.open.set()
        self.swarm.release(0.0)
        until(lambda: not self.swarm.running)


def bench(target: HeldTarget | None = None, numbers: tuple[int, int] = (0, 1)) -> Bench:
    made = target or HeldTarget()
    recorder = Recorder()
    return Bench(made, recorder, Swarm(local_runner(), made, BODIES, recorder, Probe(), 1, numbers))


def curve(*steps: tuple[float, int], end_s: float) -> TrafficCurve:
    return TrafficCurve(tuple(Step(at_s, users) for at_s, users in steps), end_s)


@patched
def test_it_follows_the_curve_and_tells_when() -> None:
    here = bench()
    start_s = time.monotonic()
    here.swarm.follow(curve((0.0, 2), (0.05, 3), (0.1, 1), end_s=0.3), start_s)
    until(lambda: here.swarm.running == 1)
    here.swarm.release(0.1)  # the end of the curve is none of its changes
    until(lambda: here.swarm.running == 0)
    starts, stops = here.swarm.audit()
    assert [(user, planned_s) for user, planned_s, _ in starts] == [(0, 0.0), (1, 0.0), (2, 0.05)]
    assert {user: planned_s for user, planned_s, _ in stops} == {2: 0.1, 1: 0.1, 0: 0.1}
    assert all(actual_s >= planned_s for _, planned_s, actual_s in starts + stops)
    assert here.swarm.audit() == ([], []), "what was told is told"
    assert here.window().ok > 0


@patched
def test_the_newest_leave_first_and_finish_what_they_began() -> None:
    here = bench()
    here.swarm.change(3, 0.0)
    here.target.open.clear()
    until(lambda: here.target.invoked >= 3)
    gevent.sleep(0.02)
    here.swarm.change(-2, 1.0)
    gevent.sleep(0.02)
    assert here.swarm.running == 3, "they have a request in flight"
    here.target.open.set()
    until(lambda: here.swarm.running == 1)
    assert {user for user, _, _ in here.swarm.audit()[1]} == {1, 2}
    assert here.window().failed == 0
    here.swarm.change(-5, 2.0)  # more than there are
    until(lambda: here.swarm.running == 0)


@patched
def test_numbers_of_several_processes_differ() -> None:
    here = bench(numbers=(2, 5))
    here.swarm.change(3, 0.0)
    until(lambda: here.swarm.running == 3)
    gevent.sleep(0.01)
    assert [user for user, _, _ in here.swarm.audit()[0]] == [2, 7, 12]
    here.end()


@patched
def test_who_is_cut_is_counted_once_and_never_answered() -> None:
    here = bench()
    here.swarm.change(4, 0.0)
    here.target.open.clear()
    until(lambda: here.target.invoked >= 4)
    gevent.sleep(0.02)
    answered = here.window().ok
    here.swarm.release(1.0)
    assert here.swarm.cut() == 4
    here.target.open.set()
    until(lambda: here.swarm.running == 0)
    window = here.window()
    assert (window.ok, window.counts.errors) == (0, {"cut": 4}), answered
    assert here.swarm.cut() == 0


@patched
def test_users_rest_after_a_failure_that_is_no_answer() -> None:
    here = bench(HeldTarget(*[Kind.CONNECTION] * 1000))
    here.target.pause_s = 0.0
    here.swarm.change(1, 0.0)
    gevent.sleep(0.25)
    assert here.target.invoked < 10, "without a rest it would be hundreds"
    here.end()


@patched
def test_what_counts_as_no_answer_until_something_succeeds() -> None:
    here = bench(HeldTarget(Kind.CLIENT_ERROR))
    assert here.swarm.pausing == WRONG
    here.swarm.change(1, 0.0)
    until(lambda: here.recorder.succeeded)
    assert here.swarm.pausing == PAUSING
    here.end()


@patched
def test_a_target_that_raises_is_a_failure_of_its_own_kind() -> None:
    here = bench()
    here.target.raises = RuntimeError("broken")
    here.swarm.change(1, 0.0)
    until(lambda: here.target.invoked >= 2)
    here.end()
    window = here.window()
    assert set(window.counts.errors) == {"exception"}
    assert "RuntimeError: broken" in " ".join(window.counts.details)


@patched
def test_active_time_and_ages_are_of_users_at_work() -> None:
    here = bench()
    here.swarm.take_active_s()
    here.target.open.clear()
    began_s = time.monotonic()
    here.swarm.change(2, 0.0)
    until(lambda: here.target.invoked == 2)
    gevent.sleep(0.05)
    ages_s, active_s, most_s = here.swarm.age_sum_s(), here.swarm.take_active_s(), time.monotonic() - began_s
    assert 0.05 <= ages_s <= 2 * most_s
    assert 0.1 <= active_s <= 2 * most_s
    here.end()
    assert here.swarm.age_sum_s() == 0.0


@patched
def test_another_curve_in_the_middle_adjusts_the_users_that_are_there() -> None:
    here = bench()
    start_s = time.monotonic() - 10.0
    here.swarm.change(5, 0.0)
    until(lambda: here.swarm.running == 5)
    following = gevent.spawn(here.swarm.rejoin, curve((0.0, 5), (5.0, 2), end_s=1000.0), start_s)
    until(lambda: here.swarm.running == 2)
    following.kill()
    here.end()


@patched
def test_each_user_of_a_target_that_has_some_for_each_closes_its_own() -> None:
    made: list[HeldTarget] = []

    class Shared(HeldTarget):
        def for_user(self) -> HeldTarget:
            made.append(HeldTarget())
            return made[-1]

    here = bench(Shared())
    here.swarm.change(3, 0.0)
    until(lambda: len(made) == 3 and all(each.invoked for each in made))
    here.end()
    assert [each.closed for each in made] == [1, 1, 1]
    assert (here.target.invoked, here.target.closed) == (0, 0)
