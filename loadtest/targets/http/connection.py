"""One user's connection: a request goes, its answer comes, whatever shape that has, and however it ends.

`Relay` repeats the common case without the greenlet; everything else is here.
"""

from __future__ import annotations

import ssl
from time import monotonic_ns
from typing import Any, Protocol

from loadtest.core.measure.outcome import Kind
from loadtest.targets.failures import Failed, socket_failure
from loadtest.targets.http.channel import Channel, Received
from loadtest.targets.http.route import Route
from loadtest.targets.http.timestamps import received_ns
from loadtest.targets.http.tls import tls_failure
from loadtest.targets.http.watchdog import Watchdog
from loadtest.wire.http1 import ResponseParser

__all__ = ["Connection", "Sink", "was_ended"]


class Sink(Protocol):
    """Takes the body of an answer as it arrives; at_ns: when, on CLOCK_REALTIME."""

    def add(self, data: bytes, at_ns: int) -> None: ...


class Connection(Channel):
    """A connection of one user, exchange by exchange.

    Not for two greenlets at once. After `exchange` or `settle`:

    sent_ns, first_ns, done_ns: CLOCK_REALTIME; kernel_clock: done_ns is the kernel's receive time.
    parser: holds the answer. failure: (kind, detail) if there is none. opening: as in Outcome.
    """

    __slots__ = (
        "_cause",
        "_ended",
        "_first",
        "_fresh",
        "done_ns",
        "failure",
        "first_ns",
        "kernel_clock",
        "parser",
        "sink",
    )

    def __init__(self, route: Route, watchdog: Watchdog, parser: ResponseParser, sink: Sink | None = None) -> None:
        super().__init__(route, watchdog)
        self.parser = parser
        self.noise = b"" if parser.strict else b"\r\n"
        self.sink = sink
        self._first: tuple[int, int] | None = None
        self._cause: str | None = None  # why the connection before could not be used again; None: there was none
        self._fresh = True
        self._ended = False
        self.first_ns = self.done_ns = 0
        self.kernel_clock = False
        self.failure: tuple[Kind, str] = (Kind.CONNECTION, "")

    def exchange(self, head: bytes, body: bytes, first: tuple[int, int] | None = None) -> bool:
        """Send a request and read its answer. False: there is none, and `failure` says why.

        Opens the connection first if there is none, or if the server ended it since the last answer. If the server
        ends it now, without a byte of an answer, the request is sent again on a new one: a server that closes after
        its answer does not say when. first: (start_ns, sent_ns) of the first time.
        """
        try:
            ready = self.ready()
            self._first = first
            if not ready:
                self._fresh = self.open()
                if self.opening is not None:
                    self.opening = self.opening._replace(cause=self._cause or "")
                    self._cause = "ended by the server"  # unless something else will be known
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
        self.opening = self._first = None
        self._fresh = not self.is_here
        return not self._fresh

    def settle(self, head: bytes, body: bytes, first: Received | None = None) -> bool:
        """The rest of an exchange whose request was submitted, once there is something to read: as `exchange`.

        first: what was read of the answer already.
        """
        try:
            self.start_ns = self.since_ns or self.start_ns
            if self._first is not None:
                self.start_ns, self.sent_ns = self._first
                self.opening = self.opening and self.opening._replace(resent=True)
            self.first_ns = 0
            if self.problem is not None:
                raise self.problem
            complete = self._absorb(first or self.read()) if self.queued == len(self.request) else self._upload()
            while not complete:
                self.check_time()
                # That a stream ends has no time by the kernel. If it ends at once, its last bytes' time is that of all.
                at_once = self.read() if self.parser.until_close else None
                complete = self._absorb(at_once or self.read_next(), at_once is None)
            if self.parser.fault:
                raise Failed(Kind.MALFORMED, self.parser.fault)
            # Half a request may be on its way: the next one would be taken for its rest.
            if not self.parser.reusable or self._ended or self.queued < len(self.request):
                self._cause = self._why()
                self.close()
            return True
        except (Failed, OSError) as problem:
            if not (self._fresh or self.parser.started or self.expired) and was_ended(problem):
                began = self.start_ns, self.sent_ns
                self.close()
                self.since_ns = 0
                return self.exchange(head, body, began)
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

    def _absorb(self, reading: Received | None, waited: bool = False) -> bool:
        """Take what was read; None: that was a false alarm. True: the answer is complete, or faulty.

        waited: it was not there when the bytes before it were read.
        """
        if reading is None:
            return False
        parser, sink = self.parser, self.sink
        self._ended = self.ends(reading)
        complete = False
        if reading.data:
            self._note_time(reading.ancillary)
            complete = parser.feed(reading.data)
            if not parser.started:
                self.first_ns = 0  # noise, from before the request perhaps
        if sink is not None and 200 <= parser.head.status < 300:
            sink.add(parser.take(), self.done_ns)
            self.since_ns = monotonic_ns()
        if self._ended and not complete:
            if waited and parser.until_close:
                self._note_time(None)  # a body that lasts until the end was not complete before
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
            self.failure = self._late() if problem.kind is Kind.TIMEOUT else (problem.kind, problem.detail)
        elif isinstance(problem, ssl.SSLError):
            self.failure = Kind.CONNECTION, tls_failure(problem)
        elif isinstance(problem, TimeoutError):
            self.failure = Kind.CONNECTION, "unacknowledged"  # the kernel gave up on what it had sent
        else:
            self.failure = socket_failure(problem)
        if self._cause is not None:
            self._cause = "after a failure"
        self.close()
        self.first_ns = self.done_ns = self.sent_ns + monotonic_ns() - self.start_ns
        self.kernel_clock = False
        return False

    def _why(self) -> str:
        """Why the connection is of no use after its answer."""
        if self.parser.head.close:
            return "the answer said close"
        if self._ended:
            return "ended by the server"
        return "bytes after the answer" if self.queued == len(self.request) else "an answer before the request was sent"

    def _late(self) -> tuple[Kind, str]:
        """What an answer that was not complete in time is called."""
        if self.parser.until_close:
            return Kind.TIMEOUT, "read timeout: the answer has no length, and its connection stays open"
        if self.parser.started and self.parser.eof():
            return Kind.MALFORMED, self.parser.fault
        return Kind.TIMEOUT, "read timeout"


def was_ended(problem: Failed | OSError) -> bool:
    """The server ended the connection, in whichever way."""
    if isinstance(problem, Failed):
        return problem.kind is Kind.CONNECTION
    return isinstance(problem, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError))
