"""What a window holds of a latency besides the service latency: its histogram and the figures that tables show.

    response      of an open workload: from the time a request was intended to be sent
    ttfb          of a streamed answer: from the send to its first part
    inter_chunk   of a streamed answer: from each part to the next
    connect       of a connection: name, TCP, proxy, TLS, until a request can be sent

No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram, Int64s

__all__ = ["DISTRIBUTIONS", "Distribution", "distribution_figures", "distribution_of", "merged_distribution"]

DISTRIBUTIONS = ("response", "ttfb", "inter_chunk", "connect")


@dataclass(frozen=True, slots=True)
class Distribution:
    """encoded: HDR histogram (us), V2 compressed base64. "" and None throughout if nothing was measured."""

    encoded: str = ""
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None

    def figures(self, name: str) -> dict[str, Any]:
        """{name}_p50_ms, {name}_p95_ms, {name}_p99_ms, {name}_max_ms: fields of a level and of the totals."""
        return {f"{name}_{figure}": getattr(self, figure) for figure in ("p50_ms", "p95_ms", "p99_ms", "max_ms")}

    def fields(self, name: str) -> dict[str, Any]:
        """The same and the histogram as {name}: fields of a window."""
        return {name: self.encoded, **self.figures(name)}


NOTHING = Distribution()


def distribution_of(values_ns: Int64s) -> Distribution:
    """Of latencies in ns, shape (n,). Below 1 us, where the histogram begins, they count as 1 us."""
    if not values_ns.size:
        return NOTHING
    histogram = Histogram()
    histogram.record(np.maximum((values_ns + 500) // 1000, 1))
    return _with_figures(histogram, float(values_ns.max()) / 1e6)


def merged_distribution(name: str, windows: Iterable[Any]) -> Distribution:
    """The exact sum over `windows` of the distribution that they hold as `name`."""
    parts = [(getattr(window, name), getattr(window, f"{name}_max_ms")) for window in windows]
    histogram = merged(encoded for encoded, _ in parts)
    if not histogram.total:
        return NOTHING
    return _with_figures(histogram, max(max_ms for _, max_ms in parts if max_ms is not None))


def distribution_figures(windows: Sequence[Any]) -> dict[str, Any]:
    """The figures of every distribution over `windows`, by field name."""
    return {
        field: value
        for name in DISTRIBUTIONS
        for field, value in merged_distribution(name, windows).figures(name).items()
    }


def _with_figures(histogram: Histogram, max_ms: float) -> Distribution:
    # A counter stands for a small range, and its percentile is the upper end of it.
    p50, p95, p99 = (min((us or 0) / 1000, max_ms) for us in histogram.percentiles_us([0.50, 0.95, 0.99]))
    return Distribution(histogram.encode(), p50, p95, p99, max_ms)
