"""Latency from the time a request was intended to be sent: what an open workload reports beside the service latency.

No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from loadtest.core.counters import merged
from loadtest.core.histogram import Histogram, Int64s

__all__ = ["Response", "merged_response", "response_of"]


@dataclass(frozen=True, slots=True)
class Response:
    """response: HDR histogram (us) of the successes, V2 compressed base64; "" and None without one."""

    response: str = ""
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    response_max_ms: float | None = None


def response_of(values_ns: Int64s) -> Response:
    """Of latencies in ns, shape (n,)."""
    if not values_ns.size:
        return Response()
    histogram = Histogram()
    histogram.record(np.maximum((values_ns + 500) // 1000, 1))
    return _figures(histogram, float(values_ns.max()) / 1e6)


def merged_response(parts: Iterable[tuple[str, float | None]]) -> Response:
    """The exact sum of histograms, each with its greatest value in ms."""
    listed = list(parts)
    histogram = merged(payload for payload, _ in listed)
    if not histogram.total:
        return Response()
    return _figures(histogram, max(max_ms for _, max_ms in listed if max_ms is not None))


def _figures(histogram: Histogram, max_ms: float) -> Response:
    # A counter stands for a small range, and its percentile is the upper end of it.
    p50, p95, p99 = (min((us or 0) / 1000, max_ms) for us in histogram.percentiles_us([0.50, 0.95, 0.99]))
    return Response(histogram.encode(), p50, p95, p99, max_ms)
