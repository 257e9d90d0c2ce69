"""Workers that a run starts itself: told to end, reaped, and known by their last words if they fell."""

from __future__ import annotations

import time

import pytest
from engine_kit import gone

from loadtest.engine.parent.pool import WorkerPool

pytestmark = pytest.mark.usefixtures("no_orphans")


def test_an_empty_pool_and_one_that_was_killed_before_it_started() -> None:
    with WorkerPool({}) as pool:
        assert pool.fallen() == ()
        pool.kill()
        pool.start(3, 1)
    assert pool.fallen() == ()


@pytest.mark.live
def test_who_falls_is_named_with_its_last_words() -> None:
    with WorkerPool({"LOADTEST_BLOCKED_LIMIT_S": "none"}) as pool:  # it cannot be imported so
        pool.start(1, 1)
        until_s = time.monotonic() + 30
        while not pool.fallen() and time.monotonic() < until_s:
            time.sleep(0.05)
    (said,) = pool.fallen()
    assert said.startswith("worker process 0 (pid ")
    assert "ended with code 1: " in said
    assert "ValueError: could not convert string to float: 'none'" in said
    assert gone({int(said.split("pid ")[1].split(")")[0])}, 10)
