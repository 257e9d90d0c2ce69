"""A latency histogram with a bounded relative error, exact merging and percentiles that are not guessed.

HDR layout (Tene, HdrHistogram): 1 us to 1 h with 3 significant digits, a counter array of 23,552 int64. The
counters are a numpy array, so a window's latencies are recorded in one pass; the encoding is HdrHistogram's V2
compressed one, made and read by `hdrh`, so every HDR tool can read what is written here.

Differences from `hdrh.HdrHistogram`, each with a test: the percentile's rank is ceil(p n), as in the Java original
(hdrh rounds, and so under-reports the tail of small samples); values out of range are clamped and counted, never
dropped; merging an empty histogram changes nothing; the sum is kept, so the mean is exact and free.
No clock, no I/O. Values are microseconds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():
    # From Python 3.14 on hdrh's structures want a `_layout_`, which hdrhistogram 0.10.8 does not give them: who makes
    # warnings errors could not import us.
    warnings.simplefilter("ignore", DeprecationWarning)
    from hdrh.histogram import HdrHistogram

__all__ = ["HIGHEST_US", "LOWEST_US", "Histogram", "counters_of"]

LOWEST_US = 1
HIGHEST_US = 3_600_000_000
DIGITS = 3

_SUB_BUCKETS = 2048  # smallest power of two >= 2 x 10^DIGITS
_HALF = _SUB_BUCKETS // 2
_HALF_BITS = _HALF.bit_length() - 1
_BUCKETS = (HIGHEST_US // _SUB_BUCKETS).bit_length() + 1
_LENGTH = (_BUCKETS + 1) * _HALF

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]


class Histogram:
    """Counts of latencies. counts: int64, shape (23552,); clamped: values that were out of range; sum_us: of all."""

    __slots__ = ("clamped", "counts", "sum_us")

    def __init__(self) -> None:
        self.counts: Int64s = np.zeros(_LENGTH, np.int64)
        self.clamped = 0
        self.sum_us = 0.0

    def record(self, values_us: Int64s | Sequence[int]) -> None:
        """Add latencies in us: integers, shape (n,). Those out of 1 us .. 1 h count at the border, and in `clamped`."""
        values = np.asarray(values_us, np.int64)
        if not values.size:
            return
        inside = np.clip(values, LOWEST_US, HIGHEST_US)
        self.clamped += int(np.count_nonzero(inside != values))
        self.sum_us += float(inside.sum(dtype=np.float64))
        found = np.bincount(_index(inside))
        self.counts[: found.size] += found

    def record_counts(self, values_us: Int64s | Sequence[int], counts: Int64s | Sequence[int]) -> None:
        """Add values_us[i] counts[i] times each; both integers, shape (n,)."""
        values, times = np.asarray(values_us, np.int64), np.asarray(counts, np.int64)
        inside = np.clip(values, LOWEST_US, HIGHEST_US)
        self.clamped += int(times[inside != values].sum())
        self.sum_us += float(np.dot(inside.astype(np.float64), times))
        np.add.at(self.counts, _index(inside), times)

    def add(self, other: Histogram) -> None:
        """Merge: afterwards every counter is the sum of both."""
        self.counts += other.counts
        self.clamped += other.clamped
        self.sum_us += other.sum_us

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def mean_us(self) -> float | None:
        """None if empty."""
        total = self.total
        return self.sum_us / total if total else None

    @property
    def min_us(self) -> int | None:
        """Lowest value of the lowest used counter; None if empty."""
        used = np.flatnonzero(self.counts)
        return _lowest(int(used[0])) if used.size else None

    @property
    def max_us(self) -> int | None:
        """Highest value of the highest used counter (the recorded one to 0.1 %); None if empty."""
        used = np.flatnonzero(self.counts)
        return _highest(int(used[-1])) if used.size else None

    def percentile_us(self, share: float) -> int | None:
        """The value at rank ceil(share x n), at least 1 (S3); share in 0..1. None if empty.

        It is the highest value that its counter stands for, as HdrHistogram reports it: never below the true one.
        """
        return self.percentiles_us([share])[0]

    def percentiles_us(self, shares: Sequence[float]) -> list[int | None]:
        """`percentile_us` of several shares in one pass over the counters."""
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"a share lies in 0..1, got {list(shares)}")
        running = np.cumsum(self.counts)
        total = int(running[-1])
        if not total:
            return [None] * len(shares)
        ranks = [max(1, _ceil_rank(share, total)) for share in shares]
        return [_highest(int(i)) for i in np.searchsorted(running, ranks)]

    def value_at_rank_us(self, rank: int) -> int:
        """The rank-th smallest value, 1 <= rank <= total, as `percentile_us` reports it."""
        running = np.cumsum(self.counts)
        if not 1 <= rank <= running[-1]:
            raise ValueError(f"rank {rank} of {running[-1]} values")
        return _highest(int(np.searchsorted(running, rank)))

    def counts_up_to(self, values_us: Sequence[int]) -> list[int]:
        """How many recorded values are at most each of `values_us`, to the counters' resolution."""
        running = np.cumsum(self.counts)
        inside = np.clip(np.asarray(values_us, np.int64), LOWEST_US, HIGHEST_US)
        return [int(count) for count in running[_index(inside)]]

    def recorded(self) -> list[tuple[int, int]]:
        """(highest equivalent value in us, count) of every used counter, in rising order."""
        return [(_highest(int(i)), int(self.counts[i])) for i in np.flatnonzero(self.counts)]

    def middles(self) -> tuple[Float64s, Float64s]:
        """(middle value in us, count) of every used counter, in rising order: two arrays of float64, shape (n,)."""
        used = np.flatnonzero(self.counts)
        bucket = np.maximum((used >> _HALF_BITS) - 1, 0)
        lowest = np.where(used < _HALF, used, ((used & (_HALF - 1)) + _HALF) << bucket)
        return lowest + ((1 << bucket) - 1) / 2, self.counts[used].astype(np.float64)

    def encode(self) -> str:
        """HdrHistogram V2 compressed payload in base64. `clamped` and the exact sum are not part of the format."""
        hdr = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        used = np.flatnonzero(self.counts)
        if used.size:
            np.frombuffer(hdr.counts, np.int64)[:] = self.counts
            hdr.set_internal_tacking_values(int(used[0]), int(used[-1]), self.total)
        payload = str(hdr.encode().decode("ascii"))
        _free(hdr)
        return payload

    @classmethod
    def decode(cls, payload: str) -> Histogram:
        """The inverse of `encode`; the sum becomes that of the counters' middle values. "" is an empty histogram.

        Raises ValueError if the payload is not one or has another range or precision.
        """
        histogram = cls()
        if not payload:
            return histogram
        hdr: Any
        try:
            hdr = HdrHistogram.decode(payload)
        except Exception as problem:  # hdrh lets zlib, base64, struct and its own errors through
            raise ValueError(f"not an HdrHistogram V2 payload: {problem}") from problem
        if (hdr.lowest_trackable_value, hdr.highest_trackable_value, hdr.significant_figures) != (
            LOWEST_US,
            HIGHEST_US,
            DIGITS,
        ):
            raise ValueError("the payload has another range or precision")
        histogram.counts[:] = np.frombuffer(hdr.counts, np.int64)
        _free(hdr)
        values_us, counts = histogram.middles()
        histogram.sum_us = float(np.dot(counts, values_us))
        return histogram


def _free(hdr: Any) -> None:
    """Let go of hdrh's 188 KB now: histogram and encoder point at each other, so they would wait for the cycle
    collector, which a generator may have switched off, and which counts objects, not bytes.
    """
    del hdr.encoder


def counters_of(values_us: Int64s) -> Int64s:
    """The counter that each value counts in, 0 on; integers of us, shape (n,), clamped to 1 us .. 1 h."""
    return _index(np.clip(values_us, LOWEST_US, HIGHEST_US))


def _ceil_rank(share: float, total: int) -> int:
    """ceil(share x total), not fooled by 0.95 x 20 = 19.000000000000004: a share is meant to nine decimals."""
    return -(-round(share * 10**9) * total // 10**9)


def _index(values: Int64s) -> Int64s:
    """Counter of each value, vectorised: bucket = bits above the sub-bucket's, index = (bucket + 1) half + offset."""
    # frexp is exact for integers below 2^53, and the range ends below 2^32.
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    bucket = np.maximum(bits - (_HALF_BITS + 1), 0)
    index: Int64s = (bucket << _HALF_BITS) + (values >> bucket)
    return index


def _lowest(index: int) -> int:
    bucket = (index >> _HALF_BITS) - 1
    if bucket < 0:
        return index
    return ((index & (_HALF - 1)) + _HALF) << bucket


def _highest(index: int) -> int:
    bucket = max((index >> _HALF_BITS) - 1, 0)
    return _lowest(index) + (1 << bucket) - 1


assert math.log2(_SUB_BUCKETS) == _HALF_BITS + 1
