"""`latency.hgrm`: the percentile distribution, as HdrHistogram prints it and its plotFiles.html reads it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from loadtest.core.measure.histogram import HIGHEST_US, Histogram

__all__ = ["distribution"]

TICKS_PER_HALF_DISTANCE = 5  # lines between one percentile and the one half way from it to 100 %
SUB_BUCKETS = 2048
BUCKETS = (HIGHEST_US // SUB_BUCKETS).bit_length() + 1


def distribution(histogram: Histogram) -> str:
    """The text of a .hgrm file. Values are milliseconds; an empty histogram gives the head and zeros."""
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for value_us, share, count in _ticks(histogram):
        tail = f" {1 / (1 - share):14.2f}" if share < 1 else ""
        lines.append(f"{value_us / 1000:12.3f} {share:2.12f} {count:10d}{tail}")
    mean_us, deviation_us = _moments(histogram)
    max_ms = (histogram.max_us or 0) / 1000
    lines += [
        f"#[Mean    = {mean_us / 1000:12.3f}, StdDeviation   = {deviation_us / 1000:12.3f}]",
        f"#[Max     = {max_ms:12.3f}, Total count    = {histogram.total:12d}]",
        f"#[Buckets = {BUCKETS:12d}, SubBuckets     = {SUB_BUCKETS:12d}]",
    ]
    return "\n".join(lines) + "\n"


def _ticks(histogram: Histogram) -> Iterator[tuple[int, float, int]]:
    """(value in us, share, values up to it) at ever finer shares, halving the distance to 1; the last share is 1."""
    recorded = histogram.recorded()
    if not recorded:
        return
    running = np.cumsum([count for _, count in recorded])
    total = int(running[-1])
    percent = 0.0
    while True:
        at = int(np.searchsorted(100.0 * running / total, percent))
        yield recorded[at][0], percent / 100, int(running[at])
        if at == len(recorded) - 1:
            break
        halvings = 2 ** (math.floor(math.log2(100 / (100 - percent))) + 1)
        percent += 100 / (TICKS_PER_HALF_DISTANCE * halvings)
    yield recorded[-1][0], 1.0, total


def _moments(histogram: Histogram) -> tuple[float, float]:
    """(mean, standard deviation) in us; 0 if empty. Each counter stands for its middle value."""
    values_us, counts = histogram.middles()
    if not counts.size:
        return 0.0, 0.0
    mean_us = float(np.average(values_us, weights=counts))
    return mean_us, math.sqrt(float(np.average((values_us - mean_us) ** 2, weights=counts)))
