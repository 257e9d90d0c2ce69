"""What is kept of a latency: its histogram and the figures that tables show; and the latencies that a run has.

    client        from just before the send to the last byte
    model         the endpoint's own time, where it tells it (S4)
    response      of an open workload: from the time a request was intended to be sent
    ttfb          of a streamed answer: from the send to its first part
    inter_chunk   of a streamed answer: from each part to the next
    connect       of a connection: name, TCP, proxy, TLS, until a request can be sent

No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram, Int64s

__all__ = ["NOTHING", "Distribution", "Latencies"]

FIGURES = ("p50_ms", "p95_ms", "p99_ms", "max_ms")
PREFIX = {"client": "", "model": "model_"}  # of a flat figure's name; the others are named by themselves
HISTOGRAM = {"client": "latency", "model": "model_latency"}


@dataclass(frozen=True, slots=True)
class Distribution:
    """One latency over some stretch of time, successes only.

    encoded: HDR histogram (us), V2 compressed base64; "": nothing was measured, or it is kept elsewhere.
    Figures are None if nothing was measured; mean_ms and p999_ms also where nobody asked for them.
    max_ms: exact, and no percentile exceeds it, although a counter stands for a small range; None: not known.
    """

    encoded: str = ""
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    max_ms: float | None = None

    @classmethod
    def of(cls, histogram: Histogram, max_ms: float | None = None) -> Distribution:
        """Of what a histogram holds; `max_ms` as the class has it."""
        if not histogram.total:
            return NOTHING
        shares = (0.50, 0.95, 0.99)
        p50, p95, p99 = (_ms(us, max_ms) for us in histogram.percentiles_us(shares))
        return cls(histogram.encode(), p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=max_ms)

    @classmethod
    def of_ns(cls, values_ns: Int64s) -> Distribution:
        """Of latencies in ns, shape (n,). Below 1 us, where the histogram begins, they count as 1 us."""
        if not values_ns.size:
            return NOTHING
        histogram = Histogram()
        histogram.record(np.maximum((values_ns + 500) // 1000, 1))
        return cls.of(histogram, float(values_ns.max()) / 1e6)

    @classmethod
    def merged(cls, parts: Iterable[Distribution]) -> Distribution:
        """The exact sum of `parts`."""
        listed = list(parts)
        if not any(part.encoded for part in listed):
            return (
                NOTHING  # most of the latencies that a run could have: an empty histogram costs as much as a full one
            )
        max_ms = max((part.max_ms for part in listed if part.max_ms is not None), default=None)
        return cls.of(merged(part.encoded for part in listed), max_ms)

    @property
    def row(self) -> tuple[float | None, float | None, float | None, float | None]:
        """(p50_ms, p95_ms, p99_ms, max_ms), as tables have them."""
        return self.p50_ms, self.p95_ms, self.p99_ms, self.max_ms

    def with_tail(self, histogram: Histogram, mean_ms: float | None) -> Distribution:
        """With the mean and P99.9 of `histogram`, which is this distribution's own."""
        return replace(self, mean_ms=mean_ms, p999_ms=_ms(histogram.percentile_us(0.999), self.max_ms))


NOTHING = Distribution()


@dataclass(frozen=True, slots=True)
class Latencies:
    """The latencies of a stretch of a run; what it does not have is `NOTHING`."""

    client: Distribution = NOTHING
    model: Distribution = NOTHING
    response: Distribution = NOTHING
    ttfb: Distribution = NOTHING
    inter_chunk: Distribution = NOTHING
    connect: Distribution = NOTHING

    @classmethod
    def merged(cls, parts: Sequence[Latencies]) -> Latencies:
        """The exact sum of `parts`."""
        return cls(**{name: Distribution.merged(getattr(part, name) for part in parts) for name in KINDS})

    @property
    def judged(self) -> Distribution:
        """The client's one that a threshold is compared with (S4): an open workload's, from the intended time on."""
        return self.response if self.response.encoded else self.client

    def figures(self, names: Sequence[str] = FIGURES) -> dict[str, float | None]:
        """Flat names and values: p50_ms, ..., model_p50_ms, ..., response_p50_ms, ...

        names: which figures. The model's maximum is not kept: the endpoint tells whole microseconds.
        """
        return {
            f"{PREFIX.get(kind, kind + '_')}{name}": getattr(getattr(self, kind), name)
            for kind in KINDS
            for name in names
            if (kind, name) != ("model", "max_ms")
        }

    def histograms(self) -> dict[str, str]:
        """Flat names and encoded histograms: latency, model_latency, response, ttfb, inter_chunk, connect."""
        return {HISTOGRAM.get(kind, kind): getattr(self, kind).encoded for kind in KINDS}

    def without_histograms(self, *kept: str) -> Latencies:
        """The figures alone; `kept` names latencies that keep theirs."""
        lighter = {
            kind: replace(part, encoded="")
            for kind in KINDS
            if kind not in kept and (part := getattr(self, kind)).encoded
        }
        return replace(self, **lighter) if lighter else self

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Latencies:
        """From the flat names of `figures` and `histograms`; what is missing is not known."""
        found = {}
        for kind in KINDS:
            prefix = PREFIX.get(kind, kind + "_")
            figures = {name: values[prefix + name] for name in _FLAT if values.get(prefix + name) is not None}
            encoded = values.get(HISTOGRAM.get(kind, kind)) or ""
            if figures or encoded:
                found[kind] = Distribution(encoded, **figures)
        return cls(**found)


KINDS = tuple(field.name for field in fields(Latencies))
_FLAT = tuple(field.name for field in fields(Distribution) if field.name != "encoded")


def _ms(us: int | None, max_ms: float | None) -> float | None:
    value_ms = None if us is None else us / 1000
    return value_ms if max_ms is None or value_ms is None else min(value_ms, max_ms)
