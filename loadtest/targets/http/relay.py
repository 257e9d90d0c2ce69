"""Invocation after invocation on one connection without waking the user's greenlet in between.

An answer that is whole at the first look, a success, and followed by a request that can be made without waiting is the
rule. It is handled where the event loop reports it, in the hub: that spares two switches of greenlets a request, and
lets a `Poller` send the requests of all users together. The greenlet is woken for everything else, and `Connection`
goes on from where the relay was. Why it was woken is the relay's `Exit`; whoever else wakes it (the watchdog, who
closes the connection) leaves that at SETTLE.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from time import monotonic_ns

from loadtest.core.measure.outcome import Outcome
from loadtest.targets.base import Listener, Payload
from loadtest.targets.http.channel import READ_BYTES, Received
from loadtest.targets.http.connection import Connection
from loadtest.targets.http.exit import Exit
from loadtest.targets.http.timestamps import ANCILLARY_BYTES, received_ns
from loadtest.wire.head import Head

__all__ = ["FOREVER_NS", "Relay"]

FOREVER_NS = 1 << 63  # no time that a clock shows
_LARGE_BYTES = 64 * 1024  # a body over this may not leave in one piece, and then the greenlet has to wait


class Relay:
    """One user's. `run` is called in its greenlet; the rest happens in the hub.

    quick_head: the head of a payload's request, and from when until when (ns of CLOCK_REALTIME) it can be sent; None if
    making it may have to wait. whole: the head of bytes that are one whole successful answer, else None. outcome: of
    the exchange that the connection has just settled, with the head and the payload that it sent.
    """

    __slots__ = (
        "_answer_bytes",
        "_answered",
        "_connection",
        "_exit",
        "_fault",
        "_from_ns",
        "_head",
        "_head_bytes",
        "_next_payload",
        "_outcome",
        "_outgoing",
        "_payload",
        "_quick_head",
        "_reading",
        "_receive",
        "_tls",
        "_told",
        "_until_ns",
        "_whole",
    )

    def __init__(
        self,
        connection: Connection,
        quick_head: Callable[[Payload], tuple[bytes, int, int] | None],
        whole: Callable[[bytes], Head | None],
        outcome: Callable[[bool, bytes, Payload], Outcome],
    ) -> None:
        self._connection = connection
        self._quick_head = quick_head
        self._whole = whole
        self._outcome = outcome
        self._payload: Payload | None = None
        self._head = b""
        self._from_ns = self._until_ns = 0
        # Of the last answer: its head, how long it was with its body, and what it told. The next is mostly the same.
        self._head_bytes, self._answer_bytes = b"", -1
        self._told: tuple[int, int, int | None] = 0, 0, None
        self._exit = Exit.SETTLE
        self._reading: Received | None = None
        self._fault: Exception | None = None

    def run(self, payload: Payload, next_payload: Callable[[], Payload], listener: Listener) -> Payload | None:
        """Invoke `payload`, then what `next_payload` gives, as long as `listener` says so: then None.

        Or as long as the connection is open and requests can be made without waiting: then the payload whose turn it
        is. Raises what the callbacks raise.
        """
        connection = self._connection
        self._next_payload, self._answered = next_payload, listener.answered
        while connection.ready() and self._take(payload):
            poller = connection.hand_over(self._readable)
            self._outgoing, self._tls, self._receive = poller.outgoing, connection.tls, connection.receive
            self._exit, self._reading, self._fault = Exit.SETTLE, None, None
            try:
                if connection.submit():
                    connection.hub_switch()
            except BaseException:
                connection.close()
                raise
            if connection.is_open:
                connection.hand_over(None)
            if self._fault is not None:  # FAULT
                raise self._fault
            if self._exit is Exit.OVER:
                return None
            if self._exit is Exit.HAND_BACK:
                return self._payload
            assert self._payload is not None
            payload = self._payload
            answered = connection.settle(self._head, payload.body, self._reading)
            if not listener.ended(self._outcome(answered, self._head, payload)):
                return None
            payload = next_payload()
        return payload

    def _take(self, payload: Payload) -> bool:
        """Make the request of `payload`. False: that is for the greenlet."""
        self._payload = payload
        made = self._quick_head(payload) if len(payload.body) <= _LARGE_BYTES else None
        if made is None:
            return False
        self._head, self._from_ns, self._until_ns = made
        connection, request = self._connection, self._head + payload.body
        connection.request = request if connection.tls is None else connection.tls.encrypt(request)
        return True

    def _readable(self) -> None:
        """There is something to read."""
        connection, tls = self._connection, self._tls
        try:
            raw, ancillary, _, _ = self._receive(READ_BYTES, ANCILLARY_BYTES)
            data = raw if tls is None else tls.decrypt(raw)
        except BlockingIOError:
            return
        except OSError as problem:
            connection.problem = problem
            connection.wake()
            return
        if len(data) != self._answer_bytes or not data.startswith(self._head_bytes):
            head = self._whole(data)
            if head is None:
                self._reading = Received(raw, data, ancillary)
                connection.wake()
                return
            self._told = head.status, head.length, head.model_latency_us
            self._head_bytes, self._answer_bytes = data[: len(data) - head.length], len(data)
        if tls is not None and tls.ended:
            self._reading = Received(raw, data, ancillary)
            connection.wake()
            return
        sent_ns = connection.sent_ns
        waited_ns = monotonic_ns() - connection.since_ns
        connection.since_ns = 0
        at_ns = received_ns(ancillary, sent_ns, waited_ns)
        kernel_clock = at_ns >= 0
        if not kernel_clock:
            at_ns = sent_ns + waited_ns
        status, bytes_in, model_latency_us = self._told
        try:
            if self._answered(status, bytes_in, sent_ns, at_ns, model_latency_us, kernel_clock):
                payload = self._next_payload()
                if payload is self._payload and self._from_ns <= at_ns < self._until_ns:
                    if tls is not None:  # else the bytes of the request before it are sent again
                        connection.request = tls.encrypt(self._head + payload.body)
                    self._outgoing.append(connection)
                    return
                if self._take(payload):
                    self._outgoing.append(connection)
                    return
                self._exit = Exit.HAND_BACK
            else:
                self._exit = Exit.OVER
        except ssl.SSLError as problem:
            connection.problem = problem
        except Exception as problem:
            self._exit, self._fault = Exit.FAULT, problem
        connection.wake()
