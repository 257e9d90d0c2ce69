"""How one invocation ended and when: the value that every target returns. No clock, no I/O."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["NOT_THE_ENDPOINT", "Kind", "Opening", "Outcome"]


class Kind(enum.StrEnum):
    """How an invocation ended (S5). Only OK is a success; the others are failures by whose fault it was."""

    OK = "ok"
    THROTTLED = "throttled"  # 429, or 400/503 with a throttling code
    MODEL_ERROR = "model_error"  # 424: the container answered 4xx or 5xx (`detail` has the original status)
    CLIENT_ERROR = "client_error"  # any other 4xx: the request was wrong
    SERVER_ERROR = "server_error"  # 5xx
    TIMEOUT = "timeout"  # no full answer within the read timeout
    CONNECTION = "connection"  # refused, reset, unreachable, name not resolved, TLS failed
    MALFORMED = "malformed"  # an answer that is not the protocol
    CUT = "cut"  # still in flight when the drain limit passed (S8)
    EXCEPTION = "exception"  # the target plug-in raised: a bug in it, counted and shown
    LOCAL = "local"  # this machine could not send it: no descriptor, port or memory, a local firewall
    CREDENTIALS = "credentials"  # AWS refused who sent it: expired, not allowed, signed wrongly, a clock that is off


# What these say is about the sender. They count as failures, and against no threshold and no error budget.
NOT_THE_ENDPOINT = frozenset({Kind.LOCAL, Kind.CREDENTIALS})


class Opening(NamedTuple):
    """The connection that was opened for an invocation. Durations in ns.

    lookup_ns: of the name. connect_ns: TCP, with the addresses that failed first. handshake_ns: a proxy's answer, TLS.
    dead: the addresses that failed first, with how ("127.0.0.1:80 refused").
    cause: why the connection before it could not be used again; "": there was none before.
    resent: the request had been sent before, on a connection that then ended without a byte of an answer. Its latency
        counts from that time and contains the opening; else it begins when the opening is over.
    """

    lookup_ns: int
    connect_ns: int
    handshake_ns: int
    dead: tuple[str, ...] = ()
    resent: bool = False
    cause: str = ""

    @property
    def total_ns(self) -> int:
        return self.lookup_ns + self.connect_ns + self.handshake_ns


class Outcome(NamedTuple):
    """One invocation. Times are ns of one clock of the target's choice; done - sent is the latency.

    kind: OK or the kind of failure.
    status: HTTP status; 0 if there was none.
    bytes_in: body bytes received.
    sent_ns: just before the request's first byte was handed to the kernel.
    first_byte_ns, done_ns: first and last byte of the answer, in kernel receive time where there is one.
    model_latency_us: the endpoint's own time (X-Loadtest-Model-Latency-Us); None: it did not tell.
    detail: for failures, what distinguishes them in a table ("424/500", "ThrottlingException", "refused").
    kernel_clock: done_ns is the kernel's receive time.
    gaps_ns: between the parts of a streamed answer, whose first part is the first byte; None: not streamed.
    opening: of the connection that was opened for it; None: there was one, or the target does not tell.
    """

    kind: Kind
    status: int
    bytes_in: int
    sent_ns: int
    first_byte_ns: int
    done_ns: int
    model_latency_us: int | None = None
    detail: str = ""
    kernel_clock: bool = False
    gaps_ns: tuple[int, ...] | None = None
    opening: Opening | None = None

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK
