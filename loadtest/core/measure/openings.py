"""The connections opened in one window: how many, how long they took, what was in the way. No clock, no I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.outcome import Opening

__all__ = ["Connects", "Openings"]

MAX_ADDRESSES = 20  # a name may have any number of them, and a message of its own for each


@dataclass(frozen=True, slots=True)
class Connects:
    """Connections in numbers that add up; how long each took is `Latencies.connect`.

    connects: connections that were opened. lookup_s, tcp_s, handshake_s: the sums of the parts that it took (name; TCP;
        proxy and TLS), which are no part of the latency but for requests that were sent again.
    reconnects: requests sent again on a new connection, since that before had ended without a byte of an answer.
    dead_addresses: "address:port what happened" of those that failed before another one did not.
    connect_causes: why connections had to be opened anew.
    """

    connects: int = 0
    reconnects: int = 0
    lookup_s: float = 0.0
    tcp_s: float = 0.0
    handshake_s: float = 0.0
    dead_addresses: Mapping[str, int] = field(default_factory=dict)
    connect_causes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def sum(cls, parts: Iterable[Connects]) -> Connects:
        """Of several windows, or of several generators."""
        every = list(parts)
        dead: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        for part in every:
            dead.update(part.dead_addresses)
            causes.update(part.connect_causes)
        return cls(
            connects=sum(part.connects for part in every),
            reconnects=sum(part.reconnects for part in every),
            lookup_s=sum(part.lookup_s for part in every),
            tcp_s=sum(part.tcp_s for part in every),
            handshake_s=sum(part.handshake_s for part in every),
            dead_addresses=dict(dead.most_common(MAX_ADDRESSES)),
            connect_causes=dict(causes.most_common()),
        )


class Openings:
    """Collects them. before_ns: how long users waited for connections before their requests could be sent, summed."""

    __slots__ = ("_causes", "_dead", "_lookup_ns", "_reconnects", "_tcp_ns", "_tls_ns", "_total_ns", "before_ns")

    def __init__(self) -> None:
        self._total_ns = array("q")
        self._lookup_ns = self._tcp_ns = self._tls_ns = self._reconnects = 0
        self._dead: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self.before_ns = 0

    def add(self, opening: Opening) -> None:
        """One more."""
        total_ns = opening.total_ns
        self._total_ns.append(total_ns)
        self._lookup_ns += opening.lookup_ns
        self._tcp_ns += opening.connect_ns
        self._tls_ns += opening.handshake_ns
        self._dead.update(opening.dead)
        if opening.cause:
            self._causes[opening.cause] += 1
        if opening.resent:
            self._reconnects += 1
        else:
            self.before_ns += total_ns

    def connects(self) -> Connects:
        """The numbers so far."""
        return Connects(
            connects=len(self._total_ns),
            reconnects=self._reconnects,
            lookup_s=self._lookup_ns / 1e9,
            tcp_s=self._tcp_ns / 1e9,
            handshake_s=self._tls_ns / 1e9,
            dead_addresses=dict(self._dead.most_common(MAX_ADDRESSES)),
            connect_causes=dict(self._causes.most_common()),
        )

    def distribution(self) -> Distribution:
        """How long each took."""
        return Distribution.of_ns(np.frombuffer(self._total_ns, np.int64))
