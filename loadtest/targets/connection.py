"""One user's connection: sends a request, waits, reads the answer, and knows when the kernel received it.

A raw socket and one registration with the event loop that lasts from request to request (arming it anew, or a
`gevent.socket` with its wait object per read, costs more than the system calls). While the user waits for something
else the socket may become readable too: then the connection ends the registration, and the next request looks at what
came. `Relay` repeats the common case without the greenlet; everything else is here.
"""

from __future__ import annotations

import _socket
import fcntl
import ssl
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns, time_ns
from typing import Any, NamedTuple, Protocol

from gevent import get_hub, getcurrent

from loadtest.core.outcome import Kind
from loadtest.targets.dial import Failed, dial, socket_failure, tls_failure
from loadtest.targets.poller import Poller, poller_here
from loadtest.targets.route import Route
from loadtest.targets.timestamps import ANCILLARY_BYTES, received_ns
from loadtest.targets.watchdog import Watchdog
from loadtest.wire.http1 import ResponseParser

__all__ = ["READ_BYTES", "Connection", "Reading", "Sink"]

READ_BYTES = 64 * 1024
_READ, _WRITE = 1, 2


class Sink(Protocol):
    """Takes the body of an answer as it arrives; at_ns: when, on CLOCK_REALTIME."""

    def add(self, data: bytes, at_ns: int) -> None: ...


class Reading(NamedTuple):
    """One read of the socket. raw: its bytes, b"" at the end of the stream. data: those of HTTP, without TLS."""

    raw: bytes
    data: bytes
    ancillary: Any


class Connection:
    """Not for two greenlets at once. After `exchange` or `settle`:

    sent_ns, first_ns, done_ns: CLOCK_REALTIME; kernel_clock: done_ns is the kernel's receive time.
    parser: holds the answer. failure: (kind, detail) if there is none.

    since_ns: monotonic time since when an answer is awaited; 0: none is. request, queued: the bytes of the request
    under way, and how many the kernel has taken. problem: what sending it, or reading its answer, came to.
    """

    __slots__ = (
        "_adopted",
        "_expired",
        "_fresh",
        "_loop",
        "_poller",
        "_route",
        "_sock",
        "_watchdog",
        "done_ns",
        "failure",
        "first_ns",
        "hub_switch",
        "kernel_clock",
        "parser",
        "problem",
        "queued",
        "receive",
        "request",
        "send",
        "sent_ns",
        "since_ns",
        "sink",
        "tls",
        "wake",
    )

    def __init__(self, route: Route, watchdog: Watchdog, parser: ResponseParser, sink: Sink | None = None) -> None:
        self._route = route
        self._watchdog = watchdog
        self.parser = parser
        self.sink = sink
        self._sock: Any = None
        self.tls: Any = None
        self._poller: Poller | None = None  # while it is registered with one
        self._fresh = True
        self._expired = False
        self._adopted: Any = None
        self._loop: Any = None
        self.wake: Callable[[], object] = _nobody
        self.hub_switch: Callable[[], object] = _nobody
        self.send: Callable[[Any], int] = _closed
        self.receive: Any = None
        self.request, self.queued = b"", 0
        self.problem: Failed | OSError | None = None
        self.since_ns = 0
        self.sent_ns = self.first_ns = self.done_ns = 0
        self.kernel_clock = False
        self.failure: tuple[Kind, str] = (Kind.CONNECTION, "")

    def exchange(self, head: bytes, body: bytes) -> bool:
        """Send a request and read its answer. False: there is none, and `failure` says why.

        Opens the connection first if there is none, or if the server ended it since the last answer.
        """
        try:
            if not self.ready():
                self._prepare()
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
        """It is open, for this greenlet, and the server has not ended it as far as is known.

        Then the next request can be sent: what was left of the last exchange is forgotten.
        """
        self.parser.reset()
        self.request, self.queued, self.problem = b"", 0, None
        self._expired = False
        self._fresh = self._poller is None or getcurrent() is not self._adopted
        return not self._fresh

    def submit(self) -> bool:
        """Send `request`: now, or in the middle of a turn at its end. False: only `queued` bytes of it were sent."""
        assert self._poller is not None
        if self._poller.serving:
            self._poller.outgoing.append(self)
            return True
        return self.transmit()

    def transmit(self) -> bool:
        """Send `request` now. False: as `submit`; `problem` says more if it holds something."""
        request = self.request
        self.queued = 0
        # In this order a wait never looks shorter to the monotonic clock than to the wall clock.
        self.since_ns = monotonic_ns()
        self.sent_ns = time_ns()
        try:
            queued: int = self.send(request)
        except BlockingIOError:
            return False
        except OSError as problem:
            self.problem = problem
            return False
        except Failed as problem:
            self.problem, self._expired = problem, True  # not to be sent again
            return False
        self.queued = queued
        return queued == len(request)

    def settle(self, head: bytes, body: bytes, first: Reading | None = None) -> bool:
        """The rest of an exchange whose request was submitted, once there is something to read: as `exchange`.

        first: what was read of the answer already.
        """
        try:
            if self.problem is not None:
                raise self.problem
            if self.queued == len(self.request):
                self._read_on(first or self._read())
            elif self._send_rest():
                self._read_on(self._next())
            else:
                self._read_on(self._next())
                self.close()  # half a request is on its way: the next one would be taken for its rest
            return True
        except (Failed, OSError) as problem:
            if not (self._fresh or self.parser.started or self._expired) and self._unheard(problem):
                self.close()
                return self.exchange(head, body)
            return self._fail(problem)
        except BaseException:
            self.close()
            raise
        finally:
            self.since_ns = 0

    def _read_on(self, reading: Reading | None) -> None:
        """Read until the answer is complete, beginning with what was read already; None: that was a false alarm."""
        parser, tls, sink = self.parser, self.tls, self.sink
        start_ns = self.since_ns
        self.first_ns = 0
        complete = ended = False
        while True:
            if reading is not None:
                ended = not reading.raw or (tls is not None and tls.ended)
                if reading.raw:
                    self._note_time(start_ns, reading.ancillary)
                    complete = bool(reading.data) and parser.feed(reading.data)
                if sink is not None and 200 <= parser.head.status < 300:
                    sink.add(parser.take(), self.done_ns)
                    self.since_ns = monotonic_ns()
                if ended and not complete:
                    self._end()
                    complete = True
            if complete:
                break
            self._check_time()
            reading = self._next()
        if parser.fault:
            raise Failed(Kind.MALFORMED, parser.fault)
        if not parser.reusable or ended:
            self.close()

    def _next(self) -> Reading | None:
        self.hub_switch()
        return self._read()

    def _read(self) -> Reading | None:
        """None: there is nothing."""
        try:
            raw, ancillary, _, _ = self.receive(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        return Reading(raw, raw if self.tls is None else self.tls.decrypt(raw), ancillary)

    def _note_time(self, start_ns: int, ancillary: Any) -> None:
        """When the last read's data came: by the kernel, or by our own clock if its time is absent or absurd."""
        waited_ns = monotonic_ns() - start_ns
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

    def _check_time(self) -> None:
        if self._expired:
            raise Failed(Kind.TIMEOUT, "read timeout")

    def _send_rest(self) -> bool:
        """Send what the kernel did not take at once. False: the server answers or leaves before it has read all."""
        rest = memoryview(self.request)[self.queued :]
        self._disarm()
        watcher = self._loop.io(self._sock.fileno(), _READ | _WRITE)
        watcher.start(self.wake)
        try:
            while rest:
                self.hub_switch()
                self._check_time()
                try:
                    rest = rest[self.send(rest) :]
                except BlockingIOError:
                    break  # only readable
                except OSError:
                    break  # an answer may have come before the connection broke; reading tells
        finally:
            watcher.stop()
            watcher.close()
            self.queued = len(self.request) - len(rest)
        self._arm()
        return not rest

    def _unheard(self, problem: Failed | OSError) -> bool:
        """The server's kernel acknowledged no byte of the request: it had closed before, and sending again is safe."""
        if not self.queued:
            return True
        # A server that reads and then resets may not have acknowledged what it read. One that closed before says so
        # with a FIN, after which Linux reports its reset as EPIPE (tcp_reset in net/ipv4/tcp_input.c).
        if isinstance(problem, ConnectionResetError):
            return False
        try:
            waiting = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False
        return self.queued == len(self.request) and int(struct.unpack("i", waiting)[0]) >= self.queued

    def _fail(self, problem: Failed | OSError) -> bool:
        if isinstance(problem, Failed):
            self.failure = problem.kind, problem.detail
        elif isinstance(problem, ssl.SSLError):
            self.failure = tls_failure(problem)
        else:
            self.failure = socket_failure(problem)
        self.close()
        self.first_ns = self.done_ns = max(time_ns(), self.sent_ns)
        self.kernel_clock = False
        return False

    def _prepare(self) -> None:
        """Make ready for a request of this greenlet."""
        self._adopt()
        if self._sock is not None:
            if self._poller is not None or self._is_quiet():
                self._arm()
                self._fresh = False
                return
            self.close()
        self.sent_ns = time_ns()
        self._sock, self.tls = dial(self._route)
        self.send, self.receive = self._sock.send, self._sock.recvmsg
        self._watchdog.add(self)
        self._arm()

    def _adopt(self) -> None:
        hub = get_hub()
        if self._loop is not hub.loop:
            self.close()
        self._loop = hub.loop
        self.hub_switch = hub.switch
        self._adopted = getcurrent()
        self.wake = self._adopted.switch

    def _is_quiet(self) -> bool:
        """Nothing came since the last answer, or nothing but TLS's own messages."""
        try:
            while data := self._sock.recv(READ_BYTES):
                if self.tls is None or self.tls.decrypt(data) or self.tls.ended:
                    return False
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _arm(self) -> None:
        if self._poller is None:
            self._poller = poller_here()
            self._poller.add(self._sock.fileno(), self._readable)

    def _disarm(self) -> None:
        if self._poller is not None:
            self._poller.remove(self._sock.fileno())
            self._poller = None

    @property
    def is_open(self) -> bool:
        """There is a connection, and what comes on it is noticed."""
        return self._poller is not None

    def hand_over(self, handler: Callable[[], object] | None) -> Poller:
        """Let `handler` be called when there is something to read; None: this connection's own.

        Only if it `is_open`.
        """
        assert self._poller is not None
        self._poller.handlers[self._sock.fileno()] = handler or self._readable
        return self._poller

    def _readable(self) -> None:
        if self.since_ns:
            self.wake()
        else:
            self._disarm()

    def expire(self) -> None:
        """Called by the watchdog: wake the waiting greenlet, whose next read decides."""
        self._expired = True
        self.wake()

    def close(self) -> None:
        """End the connection; a later `exchange` opens a new one. An exchange of another greenlet fails as `closed`."""
        if self.since_ns and self._sock is not None and getcurrent() is not self._adopted:
            # Its read then ends, it wakes and tidies up; closing under its feet would let it wait for ever.
            self._expired = True
            with suppress(OSError):  # already ended, so it is about to wake
                self._sock.shutdown(_socket.SHUT_RDWR)
            return
        self._watchdog.discard(self)
        self._disarm()
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self.tls = self.receive = None
        self.send = _closed


def _nobody() -> object:
    raise AssertionError("no greenlet has adopted this connection")


def _closed(data: Any) -> int:
    """Instead of a socket's `send`: in the turn that was to end with it the connection was closed."""
    raise Failed(Kind.CONNECTION, "closed")
