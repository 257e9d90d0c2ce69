"""A target whose answers come when a test says so. Imports gevent: for a patched process."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.targets.base import Payload

__all__ = ["HeldTarget", "until"]


class HeldTarget:
    """Answers while `open` is set, holds requests while it is not. kinds: of the next answers, then OK.

    invoked: requests that came. closed: how often it was.
    """

    def __init__(self, *kinds: Kind) -> None:
        self.open = Event()
        self.open.set()
        self.kinds = list(kinds)
        self.invoked = self.closed = 0
        self.pause_s = 0.002
        self.raises: Exception | None = None

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = time.monotonic_ns()
        self.invoked += 1
        gevent.sleep(self.pause_s)
        self.open.wait()
        if self.raises is not None:
            raise self.raises
        done_ns = time.monotonic_ns()
        kind = self.kinds.pop(0) if self.kinds else Kind.OK
        return Outcome(kind, 200 if kind is Kind.OK else 500, len(payload.body), sent_ns, done_ns, done_ns)

    def close(self) -> None:
        self.closed += 1


def until(true: Callable[[], object], within_s: float = 15.0) -> None:
    """Turn the loop until it is `true`; AssertionError if it does not become so."""
    limit_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < limit_s, "it did not become so"
        gevent.sleep(0.005)
