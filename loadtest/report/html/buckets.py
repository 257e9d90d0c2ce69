"""A run over time in as many pieces as a page can show: windows joined exactly, never sampled. No I/O.

A page shows a run in pieces of several sizes: lines, a heat map, a table. Decoding the windows' histograms takes longer
than all the rest, so each is decoded once: coarser pieces are made of the finer ones (`coarser`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadtest.core.measure.counters import merged
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.histogram import Histogram, Int64s
from loadtest.core.measure.window import Window

__all__ = ["MOST", "Bucket", "buckets", "coarser", "histogram_of"]

MOST = 600  # points of a line: about one for two pixels


@dataclass(frozen=True, slots=True)
class Bucket:
    """Consecutive windows as one: counts are sums, load is a mean by time, health the worst, percentiles exact.

    latency: the client's, of an open workload from the intended time on; service: of an open workload, else empty.
    windows: how many it joins. counters: the counters of `latency` that are used and what each holds; None: they are in
    its encoded histogram still.
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
    windows: int = 1
    counters: tuple[Int64s, Int64s] | None = None

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


def coarser(found: Sequence[Bucket], most: int) -> list[Bucket]:
    """The same run in at most `most` buckets, each of as few of `found` as that takes. They have no `service`."""
    each = max(1, math.ceil(len(found) / most))
    return [_joined(found[i : i + each]) for i in range(0, len(found), each)]


def histogram_of(found: Sequence[Bucket]) -> Histogram:
    """Of the latencies of all of them."""
    whole = merged(each.latency.encoded for each in found if each.counters is None)
    for each in found:
        if each.counters is not None:
            used, counts = each.counters
            whole.counts[used] += counts
    return whole


def _bucket(part: Sequence[Window]) -> Bucket:
    if len(part) == 1:
        return _single(part[0])
    joined = _joined([_single(window) for window in part])
    if not any(window.latencies.response.encoded for window in part):
        return joined
    client = merged(window.latencies.client.encoded for window in part)
    return replace(joined, service=_figures(client, [window.latencies.client for window in part]))


def _single(window: Window) -> Bucket:
    load, health = window.load, window.health
    return Bucket(
        start_s=window.start_s,
        end_s=window.end_s,
        planned=window.users,
        active=load.active,
        running=load.running,
        in_flight=load.in_flight,
        counts=window.counts,
        latency=window.latencies.judged,
        service=window.latencies.client if window.latencies.response.encoded else Distribution(),
        cpu=health.cpu,
        loop_lag_s=health.loop_lag_s,
        lost_workers=health.lost_workers,
    )


def _joined(part: Sequence[Bucket]) -> Bucket:
    length_s = sum(each.length_s for each in part) or 1.0
    histogram = histogram_of(part)
    used = np.flatnonzero(histogram.counts)
    return Bucket(
        start_s=part[0].start_s,
        end_s=part[-1].end_s,
        planned=sum(each.planned * each.length_s for each in part) / length_s,
        active=sum(each.active * each.length_s for each in part) / length_s,
        running=max(each.running for each in part),
        in_flight=sum(each.in_flight * each.length_s for each in part) / length_s,
        counts=Counts.sum((each.counts for each in part), batches=False),
        latency=_figures(histogram, [each.latency for each in part]),
        service=Distribution(),
        cpu=max(each.cpu for each in part),
        loop_lag_s=max(each.loop_lag_s for each in part),
        lost_workers=max(each.lost_workers for each in part),
        windows=sum(each.windows for each in part),
        counters=(used, histogram.counts[used]),
    )


def _figures(histogram: Histogram, parts: Sequence[Distribution]) -> Distribution:
    """Without the histogram, whose encoding would take longer than all the rest."""
    p50, p95, p99 = (None if us is None else us / 1000 for us in histogram.percentiles_us((0.5, 0.95, 0.99)))
    max_ms = max((part.max_ms for part in parts if part.max_ms is not None), default=None)
    return Distribution(p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=max_ms)
