"""A greenlet that sleeps to an instant, while others go on."""

from __future__ import annotations

import os
import time

import gevent
from patched import patched

from loadtest.engine.generator.timer import Timer


@patched
def test_it_never_wakes_early_and_others_run_meanwhile() -> None:
    timer, woken = Timer(), []
    other = gevent.spawn(lambda: [woken.append(k) or gevent.sleep(0) for k in range(3)])
    for ahead_ns in (0, 1, 300_000, 2_700_000, 20_000_000):
        at_ns = time.monotonic_ns() + ahead_ns
        timer.wait_until(at_ns)
        assert time.monotonic_ns() >= at_ns
    other.join(5)
    assert woken == [0, 1, 2]
    timer.close()


@patched
def test_an_instant_that_has_passed_is_not_waited_for() -> None:
    timer, turned = Timer(), []
    gevent.spawn(turned.append, 1)
    timer.wait_until(time.monotonic_ns() - 1)
    assert turned == [], "the loop was not even turned"
    timer.close()


@patched
def test_it_gives_its_descriptor_back_and_may_be_closed_twice() -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(50):
        timer = Timer()
        timer.wait_until(time.monotonic_ns() + 1000)
        timer.close()
        timer.close()
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 50  # the loop may have opened some of its own meanwhile
