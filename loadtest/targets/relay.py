"""Invocation after invocation on one connection without waking the user's greenlet in between.

An answer that is whole at the first look, a success, and followed by a request that can be made without waiting is the
rule. It is handled where the event loop reports it, in the hub: that spares two switches of greenlets a request, and
lets a `Poller` send the requests of all users together. The greenlet is woken for everything else, and `Connection`
goes on from where the relay was.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from time import monotonic_ns, time_ns

from loadtest.core.outcome import Kind, Outcome
from loadtest.targets.base import Payload
from loadtest.targets.connection import READ_BYTES, Connection, Reading
from loadtest.targets.timestamps import ANCILLARY_BYTES, received_ns
from loadtest.wire.head import Head

__all__ = ["Relay"]

_LARGE_BYTES = 64 * 1024  # a body over this may not leave in one piece, and then the greenlet has to wait

# On the hot path: a member of an Enum and the class of a NamedTuple cost more to reach than what is done with them.
_OK = Kind.OK
_make = tuple.__new__


class Relay:
    """One user's. `run` is called in its greenlet; the rest happens in the hub.

    quick_head: the head of a payload's request, and until when (ns of CLOCK_REALTIME) it can be sent again; None if
    making it may have to wait. whole: the head of bytes that are one whole successful answer, else None. outcome: of
    the exchange that the connection has just settled.
    """

    __slots__ = (
        "_answer_bytes",
        "_connection",
        "_done",
        "_fault",
        "_head",
        "_head_bytes",
        "_known_head",
        "_next_payload",
        "_outcome",
        "_outgoing",
        "_payload",
        "_problem",
        "_quick_head",
        "_reading",
        "_receive",
        "_send",
        "_sent",
        "_tls",
        "_until_ns",
        "_whole",
    )

    def __init__(
        self,
        connection: Connection,
        quick_head: Callable[[Payload], tuple[bytes, int] | None],
        whole: Callable[[bytes], Head | None],
        outcome: Callable[[bool], Outcome],
    ) -> None:
        self._connection = connection
        self._quick_head = quick_head
        self._whole = whole
        self._outcome = outcome
        self._payload: Payload | None = None
        self._head = b""
        self._until_ns = 0
        # The last answer's head, its bytes and those of the whole answer: the next one's is mostly the same.
        self._known_head, self._head_bytes, self._answer_bytes = Head(), b"", -1
        self._sent = False
        self._reading: Reading | None = None
        self._problem: OSError | None = None
        self._fault: Exception | None = None

    def run(
        self, payload: Payload, next_payload: Callable[[], Payload], done: Callable[[Outcome], bool]
    ) -> Payload | None:
        """Invoke `payload`, then what `next_payload` gives, as long as `done(outcome)` says so: then None.

        Or as long as the connection is open and requests can be made without waiting: then the payload whose turn it
        is. Raises what the callbacks raise.
        """
        connection = self._connection
        self._next_payload, self._done = next_payload, done
        self._until_ns = 0
        while connection.ready() and self._take(payload, 0):
            poller = connection.hand_over(self._answered)
            self._outgoing, self._tls = poller.outgoing, connection.tls
            self._send, self._receive = connection.send, connection.receive
            self._reading = self._problem = self._fault = None
            try:
                if self.transmit():
                    connection.hub_switch()
            except BaseException:
                connection.close()
                raise
            if connection.is_open:
                connection.hand_over(None)
            if self._fault is not None:
                raise self._fault
            if self._payload is None:
                return None
            if not self._sent:
                return self._payload
            body = self._payload.body
            if not done(self._outcome(connection.settle(self._head, body, self._reading, self._problem))):
                return None
            payload = next_payload()
        return payload

    def _take(self, payload: Payload, now_ns: int) -> bool:
        """Make the request of `payload`; now_ns: on CLOCK_REALTIME. False: that is for the greenlet."""
        connection, self._sent = self._connection, False
        connection.queued = 0
        if payload is not self._payload or now_ns >= self._until_ns:
            self._payload = payload
            made = self._quick_head(payload)
            if made is None or len(payload.body) > _LARGE_BYTES:
                return False
            self._head, self._until_ns = made
        elif self._tls is None:
            return True  # the bytes of the request before it
        request = self._head + payload.body
        connection.request = request if connection.tls is None else connection.tls.encrypt(request)
        return True

    def transmit(self) -> bool:
        """Send the request. False: not all of it, and `wake` is to follow."""
        connection = self._connection
        request = connection.request
        self._sent = True
        # In this order a wait never looks shorter to the monotonic clock than to the wall clock.
        connection.since_ns = monotonic_ns()
        connection.sent_ns = time_ns()
        try:
            queued: int = self._send(request)
            connection.queued = queued
        except BlockingIOError:
            return False
        except OSError as problem:
            self._problem = problem
            return False
        return queued == len(request)

    def wake(self) -> object:
        """Let the greenlet go on."""
        return self._connection.switch()

    def _answered(self) -> None:
        """There is something to read."""
        connection, tls = self._connection, self._tls
        try:
            raw, ancillary, _, _ = self._receive(READ_BYTES, ANCILLARY_BYTES)
            data = raw if tls is None else tls.decrypt(raw)
        except BlockingIOError:
            return
        except OSError as problem:
            self._problem = problem
            self.wake()
            return
        if len(data) == self._answer_bytes and data.startswith(self._head_bytes):
            head = self._known_head
        else:
            found = self._whole(data)
            if found is None:
                self._reading = Reading(raw, data, ancillary)
                self.wake()
                return
            head = self._known_head = found
            self._head_bytes, self._answer_bytes = data[: len(data) - head.length], len(data)
        if tls is not None and tls.ended:
            self._reading = Reading(raw, data, ancillary)
            self.wake()
            return
        sent_ns = connection.sent_ns
        waited_ns = monotonic_ns() - connection.since_ns
        connection.since_ns = 0
        at_ns = received_ns(ancillary, sent_ns, waited_ns)
        kernel = at_ns >= 0
        if not kernel:
            at_ns = sent_ns + waited_ns
        outcome = _make(
            Outcome,
            (_OK, head.status, head.length, sent_ns, at_ns, at_ns, head.model_latency_us, "", kernel, None),
        )
        try:
            if not self._done(outcome):
                self._payload = None
            elif self._take(self._next_payload(), at_ns):
                self._outgoing.append(self)
                return
        except ssl.SSLError as problem:
            self._problem, self._sent = problem, True
        except Exception as problem:
            self._fault = problem
        self.wake()
