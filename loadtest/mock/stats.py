"""What a mock endpoint has seen: counters, its own latencies, and the optional log of every one of them."""

from __future__ import annotations

import sys
from array import array
from pathlib import Path

__all__ = ["LatencyCounts", "LatencyLog", "Stats"]

_FLUSH = 4096  # latencies the log keeps before it writes them


class Stats:
    """Counters of one server; every invocation ends in exactly one of the last five.

    invocations: valid requests for the model. ok, errors (ModelError), throttled, in_flight, abandoned: the connection
    broke before the answer was due (a client that merely closes its half is answered). invalid: requests that were
    answered 4xx and never reached the model. connections: accepted so far. faults: of the mock itself, 0 hopefully.
    """

    def __init__(self) -> None:
        self.invocations = self.ok = self.errors = self.throttled = self.abandoned = self.in_flight = 0
        self.invalid = self.connections = self.faults = 0
        self.latencies = LatencyCounts()

    def counters(self) -> dict[str, int]:
        """The counters by name; requests are all that came: invocations and invalid ones."""
        return {
            "requests": self.invocations + self.invalid,
            "invocations": self.invocations,
            "ok": self.ok,
            "errors": self.errors,
            "throttled": self.throttled,
            "abandoned": self.abandoned,
            "in_flight": self.in_flight,
            "invalid": self.invalid,
            "connections": self.connections,
            "faults": self.faults,
        }


class LatencyCounts:
    """Latencies of successes in us, counted at the histogram's own resolution.

    Counting is one dict update, and numpy is not loaded before somebody asks: a vectorised pass, or its import, would
    hold up the timers of the requests in flight.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_us = 0

    def record(self, latency_us: int) -> None:
        # 11 significant bits, as HDR with 3 digits keeps them.
        shift = latency_us.bit_length() - 11
        value_us = latency_us >> shift << shift if shift > 0 else max(latency_us, 1)
        self._counts[value_us] = self._counts.get(value_us, 0) + 1
        self._sum_us += latency_us

    def summary(self) -> dict[str, float | None]:
        """p50_ms, p95_ms, p99_ms, max_ms, mean_ms; None without a success."""
        from loadtest.core.measure.histogram import Histogram  # loads numpy, see above

        histogram = Histogram()
        counts = dict(self._counts)  # a copy: the caller may be in another thread
        histogram.record_counts(list(counts), list(counts.values()))
        p50, p95, p99 = histogram.percentiles_us([0.50, 0.95, 0.99])
        total = sum(counts.values())
        mean_us = self._sum_us / total if total else None
        figures = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": histogram.max_us, "mean_ms": mean_us}
        return {name: None if us is None else us / 1000 for name, us in figures.items()}


class LatencyLog:
    """A file of the successes' latencies: int64 in us, little-endian, in completion order.

    Replaces the file if there is one; raises OSError if it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        self._pending = array("q")

    def record(self, latency_us: int) -> None:
        self._pending.append(latency_us)
        if len(self._pending) >= _FLUSH:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, array("q")
            if sys.byteorder == "big":
                pending.byteswap()
            self._file.write(pending.tobytes())

    def close(self) -> None:
        self.flush()
        self._file.close()
