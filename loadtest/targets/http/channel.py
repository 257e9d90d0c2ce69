"""A user's open socket: sends a request, now or with those of a whole turn, and reads with the kernel's times.

A raw socket and one registration with the event loop that lasts from request to request (arming it anew, or a
`gevent.socket` with its wait object per read, costs more than the system calls). While the user waits for something
else the socket may become readable too: then the registration ends, and the next request looks at what came.

    closed ----open()----> opening ----> registered <----> open, not registered ----> closed
    no _sock               _dialing      _poller           _sock alone: something came between two requests

Who closes it from outside (another greenlet, the watchdog) only marks it, `expired`, where somebody is in the middle of
something: while it opens, or while an answer is awaited (`since_ns`). Whoever is in the middle wakes, sees that, and
closes; so no descriptor is closed under the feet of its user.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import Any, NamedTuple

from gevent import get_hub, getcurrent

from loadtest.core.measure.outcome import Kind, Opening
from loadtest.targets.failures import Failed
from loadtest.targets.http.dial import dial
from loadtest.targets.http.poller import Poller, poller_here
from loadtest.targets.http.route import Route
from loadtest.targets.http.timestamps import ANCILLARY_BYTES
from loadtest.targets.http.watchdog import Watchdog

__all__ = ["READ_BYTES", "Channel", "Received"]

READ_BYTES = 64 * 1024
_READ, _WRITE = 1, 2


class Received(NamedTuple):
    """One read of the socket. raw: its bytes, b"" at the end of the stream. data: those of HTTP, without TLS."""

    raw: bytes
    data: bytes
    ancillary: Any


class Channel:
    """A socket of one user, with its times.

    Not for two greenlets at once.

    since_ns: monotonic time since when an answer, or the next part of one, is awaited; 0: none is.
    sent_ns, start_ns: when the request left, or the opening began, on CLOCK_REALTIME and by the monotonic clock.
    request, queued: the bytes of the request under way, and how many the kernel has taken.
    problem: what sending it, or reading its answer, came to.
    opening: of the connection that was opened for it; None: there was one.
    noise: bytes that mean nothing where no answer is awaited.
    """

    __slots__ = (
        "_adopted",
        "_dialing",
        "_loop",
        "_poller",
        "_route",
        "_sock",
        "_time_ns",
        "_watchdog",
        "expired",
        "hub_switch",
        "noise",
        "opening",
        "problem",
        "queued",
        "receive",
        "request",
        "send",
        "sent_ns",
        "since_ns",
        "start_ns",
        "tls",
        "wake",
    )

    def __init__(self, route: Route, watchdog: Watchdog) -> None:
        self._route = route
        self._time_ns = route.system.time_ns
        self._watchdog = watchdog
        self._sock: Any = None
        self.tls: Any = None
        self._poller: Poller | None = None  # while it is registered with one
        self.expired = False
        self._adopted: Any = None
        self._loop: Any = None
        self.wake: Callable[[], object] = _nobody
        self.hub_switch: Callable[[], object] = _nobody
        self.send: Callable[[Any], int] = _closed
        self.receive: Any = None
        self.request, self.queued = b"", 0
        self.problem: Failed | OSError | None = None
        self.since_ns = self.sent_ns = self.start_ns = 0
        self.opening: Opening | None = None
        self.noise = b""
        self._dialing = False

    @property
    def is_open(self) -> bool:
        """There is a connection, and what comes on it is noticed."""
        return self._poller is not None

    @property
    def is_here(self) -> bool:
        """It is open, and it is this greenlet that it wakes."""
        return self._poller is not None and getcurrent() is self._adopted

    def open(self) -> bool:
        """Make ready for a request of this greenlet. True: by a new connection. Raises Failed."""
        self._adopt()
        if self._sock is not None:
            if self._poller is not None or self._is_quiet():
                self._arm()
                return False
            self.close()
        self.start_ns, self.sent_ns = monotonic_ns(), self._time_ns()
        self._dialing = True
        try:
            sock, self.tls, self.opening = dial(self._route)
        finally:
            self._dialing = False
        if self.expired:
            sock.close()
            raise Failed(Kind.CONNECTION, "closed")
        self._sock = sock
        self.send, self.receive = self._sock.send, self._sock.recvmsg
        self._watchdog.add(self)
        self._arm()
        return True

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
        self.sent_ns = self._time_ns()
        try:
            queued: int = self.send(request)
        except BlockingIOError:
            return False
        except OSError as problem:
            self.problem = problem
            return False
        except Failed as problem:
            self.problem, self.expired = problem, True  # not to be sent again
            return False
        self.queued = queued
        return queued == len(request)

    def send_rest(self) -> Received | None:
        """Send what the kernel did not take at once. None: it has it all; else what the server said before that."""
        rest = memoryview(self.request)[self.queued :]
        self._disarm()
        watcher = self._loop.io(self._sock.fileno(), _READ | _WRITE)
        watcher.start(self.wake)
        try:
            while rest:
                self.hub_switch()
                self.check_time()
                try:
                    rest = rest[self.send(rest) :]
                except BlockingIOError:  # only readable
                    reading = self.read()
                    # TLS has messages of its own (1.3 begins with tickets), and they are no answer.
                    if reading is not None and (reading.data or self.ends(reading)):
                        return reading
                except OSError:
                    break  # an answer may have come before the connection broke; reading tells
        finally:
            watcher.stop()
            watcher.close()
            self.queued = len(self.request) - len(rest)
            self._arm()
        return self.read_next() if rest else None

    def read_next(self) -> Received | None:
        """Wait for something to read, and `read`."""
        self.hub_switch()
        return self.read()

    def read(self) -> Received | None:
        """What there is to read; None: nothing after all."""
        try:
            raw, ancillary, _, _ = self.receive(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        return Received(raw, raw if self.tls is None else self.tls.decrypt(raw), ancillary)

    def ends(self, reading: Received) -> bool:
        """The server sends no more after this."""
        return not reading.raw or (self.tls is not None and self.tls.ended)

    def check_time(self) -> None:
        """Raises Failed if the answer is overdue, or the channel was closed from elsewhere."""
        if self.expired:
            raise Failed(Kind.TIMEOUT, "read timeout")

    def hand_over(self, handler: Callable[[], object] | None) -> Poller:
        """Let `handler` be called when there is something to read; None: the channel's own. Only if it `is_open`."""
        assert self._poller is not None
        self._poller.handlers[self._sock.fileno()] = handler or self._readable
        return self._poller

    def expire(self) -> None:
        """Called by the watchdog: wake the waiting greenlet, whose next read decides."""
        self.expired = True
        self.wake()

    def close(self) -> None:
        """End the connection; `open` makes a new one. Another greenlet that waits for an answer is told `closed`."""
        if self._dialing and getcurrent() is not self._adopted:
            self.expired = True  # it is closed as soon as it is open
            return
        if self.since_ns and self._sock is not None and getcurrent() is not self._adopted:
            # Its read then ends, it wakes and tidies up; closing under its feet would let it wait for ever.
            self.expired = True
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

    def _adopt(self) -> None:
        hub = get_hub()
        if self._loop is not hub.loop:
            self.close()
        self._loop = hub.loop
        self.hub_switch = hub.switch
        self._adopted = getcurrent()
        self.wake = self._adopted.switch

    def _is_quiet(self) -> bool:
        """Nothing came since the last answer, or nothing but noise and TLS's own messages."""
        try:
            while data := self._sock.recv(READ_BYTES):
                if (data if self.tls is None else self.tls.decrypt(data)).strip(self.noise):
                    return False
                if self.tls is not None and self.tls.ended:
                    return False
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _arm(self) -> None:
        if self._poller is None:
            self._poller = poller_here(self._route.system.epoll)
            self._poller.add(self._sock.fileno(), self._readable)

    def _disarm(self) -> None:
        if self._poller is not None:
            self._poller.remove(self._sock.fileno())
            self._poller = None

    def _readable(self) -> None:
        if self.since_ns:
            self.wake()
        elif self.queued or not self.request:
            self._disarm()
        # Else a request leaves when the turn ends: what there is now can be read then.


def _nobody() -> object:
    raise AssertionError("no greenlet has adopted this connection")


def _closed(data: Any) -> int:
    """Instead of a socket's `send`: in the turn that was to end with it the connection was closed."""
    raise Failed(Kind.CONNECTION, "closed")
