"""A run over time in as many pieces as a page can show: windows joined exactly, never sampled. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.measure.counters import merged
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.window import Window

__all__ = ["MOST", "Bucket", "buckets"]

MOST = 600  # points of a line: about one for two pixels


@dataclass(frozen=True, slots=True)
class Bucket:
    """Consecutive windows as one: counts are sums, load is a mean by time, health the worst, percentiles exact.

    latency: the client's, of an open workload from the intended time on; service: of an open workload, else empty.
    """

    start_s: float
    end_s: float
    planned: float
    active: float
    running: int
    in_flight: float
    counts: Counts
    latency: Distribution
    service: Distribution
    cpu: float
    loop_lag_s: float
    lost_workers: int

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def at_s(self) -> float:
        """Its middle."""
        return (self.start_s + self.end_s) / 2

    @property
    def per_s(self) -> float:
        """Successes a second."""
        return self.counts.ok / self.length_s if self.length_s > 0 else 0.0


def buckets(windows: Sequence[Window], most: int = MOST) -> tuple[int, list[Bucket]]:
    """(windows in each, the buckets): as few windows to a bucket as give at most `most` of them."""
    each = max(1, math.ceil(len(windows) / most))
    return each, [_bucket(windows[i : i + each]) for i in range(0, len(windows), each)]


def _bucket(part: Sequence[Window]) -> Bucket:
    length_s = sum(window.length_s for window in part) or 1.0
    is_open = any(window.latencies.response.encoded for window in part)
    return Bucket(
        start_s=part[0].start_s,
        end_s=part[-1].end_s,
        planned=sum(window.users * window.length_s for window in part) / length_s,
        active=sum(window.load.active * window.length_s for window in part) / length_s,
        running=max(window.load.running for window in part),
        in_flight=sum(window.load.in_flight * window.length_s for window in part) / length_s,
        counts=part[0].counts if len(part) == 1 else Counts.sum(window.counts for window in part),
        latency=_joined([window.latencies.judged for window in part]),
        service=_joined([window.latencies.client for window in part]) if is_open else Distribution(),
        cpu=max(window.health.cpu for window in part),
        loop_lag_s=max(window.health.loop_lag_s for window in part),
        lost_workers=max(window.health.lost_workers for window in part),
    )


def _joined(parts: Sequence[Distribution]) -> Distribution:
    """Exact figures, without the histogram, whose encoding would take longer than all the rest."""
    if len(parts) == 1:
        return parts[0]
    histogram = merged(part.encoded for part in parts)
    p50, p95, p99 = (None if us is None else us / 1000 for us in histogram.percentiles_us((0.5, 0.95, 0.99)))
    max_ms = max((part.max_ms for part in parts if part.max_ms is not None), default=None)
    return Distribution(p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=max_ms)
