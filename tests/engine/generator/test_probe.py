"""What the generator knows about itself."""

from __future__ import annotations

import time

import gevent
from patched import patched

from loadtest.engine.generator.probe import Probe


@patched
def test_the_loops_turns_are_counted_and_told() -> None:
    told: list[int] = []
    probe = Probe(lambda: told.append(1))
    while probe.turns < 3:
        gevent.sleep(0.01)
    probe.close()
    turned = probe.turns
    gevent.sleep(0.05)
    assert probe.turns == turned == len(told), "closed is closed"


@patched
def test_a_loop_that_was_held_up_is_late_once() -> None:
    probe = Probe()
    gevent.sleep(0.03)
    held_s, until_s = 0.3, time.perf_counter() + 0.3
    while time.perf_counter() < until_s:
        pass  # the loop does not turn
    gevent.sleep(0.03)
    assert probe.take().loop_lag_s > held_s / 2
    assert probe.take().loop_lag_s < held_s / 2, "what was told is told"
    probe.close()


@patched
def test_readings_are_shares_and_lags_that_can_be() -> None:
    probe = Probe()
    gevent.sleep(0.05)
    readings = probe.take()
    assert 0.0 <= readings.steal <= 1.0
    assert readings.cpu >= 0.0
    assert abs(readings.clock_step_s) < 1.0
    probe.close()
    probe.take()  # its files are closed: what they told is as if the kernel told nothing
