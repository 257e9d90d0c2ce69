"""A neighbour slower than what is said: lines may be dropped, but nobody waits in vain."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest

from loadtest.emulator import cloudwatch
from loadtest.emulator.cloudwatch import CloudWatch


class Stuck:
    """Clients of a neighbour that answers nothing until it may, and is down then."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def client(self, service: str) -> Any:
        self.go_on.wait(10)
        raise OSError(f"{service} is down")


def test_settle_and_close_are_not_dropped_from_a_full_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "_QUEUE_LENGTH", 2)
    monkeypatch.setattr(cloudwatch, "_GATHER_S", 0.01)
    stuck = Stuck()
    sink = CloudWatch(cast(Any, stuck))
    until = time.monotonic() + 10
    sink.log("s", "taken by the thread, which waits for the neighbour", 0.0)
    while not sink._queue.empty() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(0.05)  # the thread has gathered; what comes now stays in the queue
    for number in range(5):
        sink.log("s", f"line {number}", 0.0)
    assert not sink.settle(0.1)
    waiter: list[bool] = []
    thread = threading.Thread(target=lambda: waiter.append(sink.settle(10)))
    thread.start()
    stuck.go_on.set()
    thread.join(15)
    assert waiter == [True]
    sink.close()
    assert not sink._thread.is_alive()
