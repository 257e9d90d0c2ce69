"""One user's connection: sends a request, waits, reads the answer, and knows when the kernel received it.

The hot path. A raw socket and one event-loop watcher that stays armed from request to request (arming it anew, or a
`gevent.socket` with its wait object per read, costs more than the system calls). While the user waits for something
else the watcher may fire too: then it disarms itself, and the next request looks at what came.
"""

from __future__ import annotations

import _socket
import fcntl
import ssl
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from time import CLOCK_REALTIME, clock_gettime_ns, monotonic_ns
from typing import Any, Protocol

from gevent import get_hub, getcurrent

from loadtest.core.outcome import Kind
from loadtest.targets.dial import Failed, dial, socket_failure, tls_failure
from loadtest.targets.route import Route
from loadtest.targets.timestamps import ANCILLARY_BYTES, unpack
from loadtest.targets.watchdog import Watchdog
from loadtest.wire.http1 import ResponseParser

__all__ = ["Connection", "Sink"]

_READ_BYTES = 64 * 1024
_JOINED_BYTES = 64 * 1024  # up to here copying the body behind the head costs less than a second system call
_STEP_NS = 1_000_000  # a wall clock that moved more than this during a request was set
_READ, _WRITE = 1, 2


class Sink(Protocol):
    """Takes the body of an answer as it arrives; at_ns: when, on CLOCK_REALTIME."""

    def add(self, data: bytes, at_ns: int) -> None: ...


class Connection:
    """Not for two greenlets at once. After `exchange`:

    sent_ns, first_ns, done_ns: CLOCK_REALTIME; kernel_clock: done_ns is the kernel's receive time.
    parser: holds the answer. failure: (kind, detail) if there is none.
    """

    __slots__ = (
        "_adopted",
        "_armed",
        "_expired",
        "_hub_switch",
        "_loop",
        "_plain",
        "_receive",
        "_route",
        "_send",
        "_sock",
        "_switch",
        "_tls",
        "_watchdog",
        "_watcher",
        "done_ns",
        "failure",
        "first_ns",
        "kernel_clock",
        "parser",
        "sent_ns",
        "since_ns",
        "sink",
    )

    def __init__(self, route: Route, watchdog: Watchdog, parser: ResponseParser, sink: Sink | None = None) -> None:
        self._route = route
        self._watchdog = watchdog
        self.parser = parser
        self.sink = sink
        self._sock: Any = None
        self._tls: Any = None
        self._watcher: Any = None
        self._plain = sink is None and route.tls is None
        self._armed = False
        self._expired = False
        self._adopted: Any = None
        self._loop: Any = None
        self._switch: Callable[[], object] = _nobody
        self._hub_switch: Callable[[], object] = _nobody
        self._send: Any = None
        self._receive: Any = None
        self.since_ns = 0
        self.sent_ns = self.first_ns = self.done_ns = 0
        self.kernel_clock = False
        self.failure: tuple[Kind, str] = (Kind.CONNECTION, "")

    def exchange(self, head: bytes, body: bytes) -> bool:
        """Send a request and read its answer. False: there is none, and `failure` says why.

        Opens the connection first if there is none, or if the server ended it since the last answer.
        """
        parser = self.parser
        parser.reset()
        self._expired = False
        fresh, queued, request = True, 0, b""
        try:
            fresh = (not self._armed or getcurrent() is not self._adopted) and self._prepare()
            request = head + body
            if self._tls is not None:
                request = self._tls.encrypt(request)
            # In this order a wait never looks shorter to the monotonic clock than to the wall clock.
            self.since_ns = start_ns = monotonic_ns()
            self.sent_ns = clock_gettime_ns(CLOCK_REALTIME)
            queued = self._send(request)
            if queued != len(request) and not self._send_rest(memoryview(request)[queued:]):
                self._read_on(start_ns, *self._next())
                self.close()  # half a request is on its way: the next one would be taken for its rest
                return True
            self._hub_switch()
            try:
                data, ancillary, _, _ = self._receive(_READ_BYTES, ANCILLARY_BYTES)
            except BlockingIOError:
                data, ancillary = None, ()
            # The common case, apart from the general one for its speed alone.
            if self._plain and ancillary and parser.whole(data):
                seconds, nanoseconds = unpack(ancillary[0][2])
                self.first_ns = self.done_ns = at_ns = seconds * 1_000_000_000 + nanoseconds
                self.kernel_clock = True
                if 0 <= at_ns - self.sent_ns <= monotonic_ns() - start_ns + _STEP_NS:
                    return True
                self.kernel_clock = False
                self.first_ns = self.done_ns = self.sent_ns + monotonic_ns() - start_ns
                return True
            self._read_on(start_ns, data, ancillary)
            return True
        except (Failed, OSError) as problem:
            if not (fresh or parser.started or self._expired) and self._unheard(queued, len(request)):
                self.close()
                return self.exchange(head, body)
            return self._fail(problem)
        except BaseException:
            self.close()
            raise
        finally:
            self.since_ns = 0

    def _read_on(self, start_ns: int, data: bytes | None, ancillary: Any) -> None:
        """Read until the answer is complete, beginning with what was read already; None: that was a false alarm."""
        parser, tls, sink = self.parser, self._tls, self.sink
        self.first_ns = 0
        complete = ended = False
        while True:
            if data is not None:
                ended = not data
                if data:
                    self._note_time(start_ns, ancillary)
                    if tls is not None:
                        data = tls.decrypt(data)
                        ended = tls.ended
                complete = bool(data) and parser.feed(data)
                if sink is not None and 200 <= parser.head.status < 300:
                    sink.add(parser.take(), self.done_ns)
                    self.since_ns = monotonic_ns()
                if ended and not complete:
                    self._end()
                    complete = True
            if complete:
                break
            self._check_time()
            data, ancillary = self._next()
        if parser.fault:
            raise Failed(Kind.MALFORMED, parser.fault)
        if not parser.reusable or ended:
            self.close()

    def _next(self) -> tuple[bytes | None, Any]:
        self._hub_switch()
        try:
            data, ancillary, _, _ = self._receive(_READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return None, ()
        return data, ancillary

    def _note_time(self, start_ns: int, ancillary: Any) -> None:
        """When the last read's data came: by the kernel, or by our own clock if its time is absent or absurd."""
        at_ns, waited_ns = 0, monotonic_ns() - start_ns
        if ancillary:
            seconds, nanoseconds = unpack(ancillary[0][2])
            at_ns = seconds * 1_000_000_000 + nanoseconds
        self.kernel_clock = 0 <= at_ns - self.sent_ns <= waited_ns + _STEP_NS
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

    def _send_rest(self, rest: memoryview) -> bool:
        """Send what the kernel did not take at once. False: the server answers or leaves before it has read all."""
        self._disarm()
        watcher = self._loop.io(self._sock.fileno(), _READ | _WRITE)
        watcher.start(self._switch)
        try:
            while rest:
                self._hub_switch()
                self._check_time()
                try:
                    rest = rest[self._send(rest) :]
                except BlockingIOError:
                    break  # only readable
                except OSError:
                    break  # an answer may have come before the connection broke; reading tells
        finally:
            watcher.stop()
            watcher.close()
        self._arm()
        return not rest

    def _unheard(self, queued: int, length: int) -> bool:
        """The server's kernel acknowledged no byte of the request: it had closed before, and sending again is safe."""
        if not queued:
            return True
        try:
            waiting = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False
        return queued == length and int(struct.unpack("i", waiting)[0]) >= length

    def _fail(self, problem: Failed | OSError) -> bool:
        if isinstance(problem, Failed):
            self.failure = problem.kind, problem.detail
        elif isinstance(problem, ssl.SSLError):
            self.failure = tls_failure(problem)
        else:
            self.failure = socket_failure(problem)
        self.close()
        self.first_ns = self.done_ns = max(clock_gettime_ns(CLOCK_REALTIME), self.sent_ns)
        self.kernel_clock = False
        return False

    def _prepare(self) -> bool:
        """Make ready for a request of this greenlet. True: the connection is new."""
        self._adopt()
        if self._sock is not None:
            if self._armed or self._is_quiet():
                self._arm()
                return False
            self.close()
        self.sent_ns = clock_gettime_ns(CLOCK_REALTIME)
        self._sock, self._tls = dial(self._route)
        self._send, self._receive = self._sock.send, self._sock.recvmsg
        self._watcher = self._loop.io(self._sock.fileno(), _READ)
        self._watchdog.add(self)
        self._arm()
        return True

    def _adopt(self) -> None:
        hub = get_hub()
        if self._loop is not hub.loop:
            self.close()
        self._loop = hub.loop
        self._hub_switch = hub.switch
        self._adopted = getcurrent()
        self._switch = self._adopted.switch

    def _is_quiet(self) -> bool:
        """Nothing came since the last answer, or nothing but TLS's own messages."""
        try:
            while data := self._sock.recv(_READ_BYTES):
                if self._tls is None or self._tls.decrypt(data) or self._tls.ended:
                    return False
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _arm(self) -> None:
        if not self._armed:
            self._watcher.start(self._readable)
            self._armed = True

    def _disarm(self) -> None:
        self._watcher.stop()
        self._armed = False

    def _readable(self) -> None:
        if self.since_ns:
            self._switch()
        else:
            self._disarm()

    def expire(self) -> None:
        """Called by the watchdog: wake the waiting greenlet, whose next read decides."""
        self._expired = True
        self._switch()

    def close(self) -> None:
        """End the connection; a later `exchange` opens a new one. An exchange of another greenlet fails as `closed`."""
        if self.since_ns and self._sock is not None and getcurrent() is not self._adopted:
            # Its read then ends, it wakes and tidies up; closing under its feet would let it wait for ever.
            self._expired = True
            with suppress(OSError):  # already ended, so it is about to wake
                self._sock.shutdown(_socket.SHUT_RDWR)
            return
        self._watchdog.discard(self)
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._armed = False
        self._tls = self._send = self._receive = None


def _nobody() -> object:
    raise AssertionError("no greenlet has adopted this connection")
