"""The connections opened in one window: how many, how long they took, what was in the way. No clock, no I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from loadtest.core.measure.distribution import distribution_of
from loadtest.core.measure.outcome import Opening

__all__ = ["OPENING_SUMS", "Openings", "opening_sums"]

MAX_ADDRESSES = 20  # a name may have any number of them, and a message of its own for each
OPENING_SUMS = ("connects", "reconnects", "lookup_s", "tcp_s", "handshake_s")  # fields that add up over windows


class Openings:
    """before_ns: how long users waited for connections before their requests could be sent, summed."""

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

    def fields(self) -> dict[str, Any]:
        """Fields of a `Window`."""
        return {
            "connects": len(self._total_ns),
            "reconnects": self._reconnects,
            "lookup_s": self._lookup_ns / 1e9,
            "tcp_s": self._tcp_ns / 1e9,
            "handshake_s": self._tls_ns / 1e9,
            "dead_addresses": dict(self._dead.most_common(MAX_ADDRESSES)),
            "connect_causes": dict(self._causes.most_common()),
            **distribution_of(np.frombuffer(self._total_ns, np.int64)).fields("connect"),
        }


def opening_sums(windows: Iterable[Any]) -> dict[str, Any]:
    """The same over several windows, without the distribution: fields of a window and of the totals."""
    parts = list(windows)
    dead: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for part in parts:
        dead.update(part.dead_addresses)
        causes.update(part.connect_causes)
    sums = {name: sum(getattr(part, name) for part in parts) for name in OPENING_SUMS}
    listed = {"dead_addresses": dict(dead.most_common(MAX_ADDRESSES)), "connect_causes": dict(causes.most_common())}
    return {**sums, **listed}
