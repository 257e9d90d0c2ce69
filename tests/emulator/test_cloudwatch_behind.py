"""A fallback slower than what is said: lines may be dropped, but nobody waits in vain. One with CloudWatch's bounds."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

from loadtest.emulator.cloudwatch import CloudWatch


class Stuck:
    """Clients of a fallback that answers nothing until it may, and is down then."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def client(self, service: str) -> Any:
        self.go_on.wait(10)
        raise OSError(f"{service} is down")


def test_settle_and_close_are_not_dropped_from_a_full_queue() -> None:
    stuck = Stuck()
    sink = CloudWatch(cast(Any, stuck), queue_length=2, gather_s=0.01)
    until = time.monotonic() + 10
    sink.log("s", "taken by the thread, which waits for the fallback", 0.0)
    while sink.waiting and time.monotonic() < until:
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
    assert sink.close(), "its thread has ended"


class Recording:
    """Clients of an upstream that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def client(self, service: str) -> Any:
        return self

    def create_log_group(self, **_: Any) -> None:
        """There it is."""

    def create_log_stream(self, **_: Any) -> None:
        """There it is."""

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        self.events += logEvents
        return {}


def test_an_upstream_gets_lines_that_it_takes_in_the_order_of_their_times() -> None:
    """Virtual time may be hours ahead; what is cut to what CloudWatch takes stays in order with what follows."""
    upstream = Recording()
    sink = CloudWatch(cast(Any, upstream), gather_s=0.01)
    began_s = time.time()
    for number, ahead_s in enumerate((0.0, 9000.0, 18_000.0, 6000.0, 18_000.0, -50.0)):
        sink.log("s", str(number), began_s + ahead_s)
        assert sink.settle()
    sink.log("other", "the first of its stream", began_s + 18_000)
    sink.close()
    assert upstream.events.pop()["timestamp"] <= (time.time() + 7200) * 1000
    assert [event["message"] for event in upstream.events] == list("012345")
    times_ms = [event["timestamp"] for event in upstream.events]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] == round(began_s * 1000)
    assert times_ms[-1] <= (time.time() + 7200) * 1000
