"""One user's connection: a request goes, its answer comes, whatever shape that has, and however it ends.

`Relay` repeats the common case without the greenlet; everything else is here.
"""

from __future__ import annotations

import ssl
from time import monotonic_ns
from typing import Any, Protocol

from loadtest.core.outcome import Kind
from loadtest.targets.channel import Channel, Reading
from loadtest.targets.dial import Failed, socket_failure
from loadtest.targets.route import Route
from loadtest.targets.timestamps import received_ns
from loadtest.targets.tls import tls_failure
from loadtest.targets.watchdog import Watchdog
from loadtest.wire.http1 import ResponseParser

__all__ = ["Connection", "Sink"]


class Sink(Protocol):
    """Takes the body of an answer as it arrives; at_ns: when, on CLOCK_REALTIME."""

    def add(self, data: bytes, at_ns: int) -> None: ...


class Connection(Channel):
    """Not for two greenlets at once. After `exchange` or `settle`:

    sent_ns, first_ns, done_ns: CLOCK_REALTIME; kernel_clock: done_ns is the kernel's receive time.
    parser: holds the answer. failure: (kind, detail) if there is none.
    """

    __slots__ = ("_ended", "_fresh", "done_ns", "failure", "first_ns", "kernel_clock", "parser", "sink")

    def __init__(self, route: Route, watchdog: Watchdog, parser: ResponseParser, sink: Sink | None = None) -> None:
        super().__init__(route, watchdog)
        self.parser = parser
        self.sink = sink
        self._fresh = True
        self._ended = False
        self.first_ns = self.done_ns = 0
        self.kernel_clock = False
        self.failure: tuple[Kind, str] = (Kind.CONNECTION, "")

    def exchange(self, head: bytes, body: bytes) -> bool:
        """Send a request and read its answer. False: there is none, and `failure` says why.

        Opens the connection first if there is none, or if the server ended it since the last answer.
        """
        try:
            if not self.ready():
                self._fresh = self.open()
            self.request = head + body if self.tls is None else self.tls.encrypt(head + body)
            if self.submit():
                self.hub_switch()
        except (Failed, OSError) as problem:
            self.problem = problem
        except BaseException:
            self.close()
            raise
        return self.settle(head, body)

    def ready(self) -> bool:
        """The next request can be sent at once; what was left of the last exchange is forgotten.

        False: there is no connection yet, or another greenlet had it, or the server seems to have ended it.
        """
        self.parser.reset()
        self.request, self.queued, self.problem = b"", 0, None
        self.expired = False
        self._fresh = not self.is_here
        return not self._fresh

    def settle(self, head: bytes, body: bytes, first: Reading | None = None) -> bool:
        """The rest of an exchange whose request was submitted, once there is something to read: as `exchange`.

        first: what was read of the answer already.
        """
        try:
            self.start_ns = self.since_ns or self.start_ns
            self.first_ns = 0
            if self.problem is not None:
                raise self.problem
            complete = self._absorb(first or self.read()) if self.queued == len(self.request) else self._upload()
            while not complete:
                self.check_time()
                complete = self._absorb(self.read_next())
            if self.parser.fault:
                raise Failed(Kind.MALFORMED, self.parser.fault)
            # Half a request may be on its way: the next one would be taken for its rest.
            if not self.parser.reusable or self._ended or self.queued < len(self.request):
                self.close()
            return True
        except (Failed, OSError) as problem:
            if not (self._fresh or self.parser.started or self.expired) and self.unheard(problem):
                self.close()
                return self.exchange(head, body)
            return self._fail(problem)
        except BaseException:
            self.close()
            raise
        finally:
            self.since_ns = 0

    def _upload(self) -> bool:
        """Send the rest of a request. True: the answer is complete already; the server may want no more than it has.

        A 1xx, which it may send at any time, is not its answer.
        """
        while (early := self.send_rest()) is not None:
            if self._absorb(early):
                return True
            if self.parser.head.status:
                break
        return False

    def _absorb(self, reading: Reading | None) -> bool:
        """Take what was read; None: that was a false alarm. True: the answer is complete, or faulty."""
        if reading is None:
            return False
        parser, sink = self.parser, self.sink
        self._ended = self.ends(reading)
        complete = False
        if reading.data:
            self._note_time(reading.ancillary)
            complete = parser.feed(reading.data)
        if sink is not None and 200 <= parser.head.status < 300:
            sink.add(parser.take(), self.done_ns)
            self.since_ns = monotonic_ns()
        if self._ended and not complete:
            self._end()
            complete = True
        return complete

    def _note_time(self, ancillary: Any) -> None:
        """When the last read's data came: by the kernel, or by our own clock if its time is absent or absurd."""
        waited_ns = monotonic_ns() - self.start_ns
        at_ns = received_ns(ancillary, self.sent_ns, waited_ns)
        self.kernel_clock = at_ns >= 0
        self.done_ns = at_ns if self.kernel_clock else self.sent_ns + waited_ns
        self.first_ns = self.first_ns or self.done_ns

    def _end(self) -> None:
        """The server sends no more: all is well only if the answer was to last until then."""
        if not self.parser.eof():
            if self.parser.started:
                raise Failed(Kind.MALFORMED, "truncated")
            raise Failed(Kind.CONNECTION, "closed")

    def _fail(self, problem: Failed | OSError) -> bool:
        if isinstance(problem, Failed):
            self.failure = problem.kind, problem.detail
        elif isinstance(problem, ssl.SSLError):
            self.failure = Kind.CONNECTION, tls_failure(problem)
        elif isinstance(problem, TimeoutError):
            self.failure = Kind.CONNECTION, "unacknowledged"  # the kernel gave up on what it had sent
        else:
            self.failure = socket_failure(problem)
        self.close()
        self.first_ns = self.done_ns = self.sent_ns + monotonic_ns() - self.start_ns
        self.kernel_clock = False
        return False
