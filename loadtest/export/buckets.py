"""A latency histogram in the buckets of other systems: explicit bounds, and exponential ones. No clock, no I/O.

Counters are 0.1 % wide at most, so a value within 0.1 % above a bound may be counted below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtest.core.measure.histogram import Float64s, Histogram, Int64s

__all__ = ["BOUNDS_S", "Exponential", "explicit", "exponential"]


# The stable semantic convention's, down to where fast models answer and up to the 60 s that SageMaker gives a model and
# the 70 s that its clients should wait.
BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(15.0, 20.0, 30.0, 45.0, 60.0, 70.0),
)
MOST_BUCKETS = 160  # OpenTelemetry's default
FINEST_SCALE = 8  # Prometheus's finest; a bucket is 0.27 % wide, still wider than a counter


@dataclass(frozen=True, slots=True)
class Exponential:
    """Bucket k (0, 1, ...) of `counts` holds the values in (base^(offset + k), base^(offset + k + 1)] s, where
    base = 2^(2^-scale). () : nothing was measured.
    """

    scale: int
    offset: int
    counts: tuple[int, ...]


def explicit(histogram: Histogram, bounds_s: tuple[float, ...] = BOUNDS_S) -> tuple[int, ...]:
    """Values up to each bound, and one more count: of all. Cumulative, as Prometheus has them."""
    return (*histogram.counts_up_to([round(bound_s * 1e6) for bound_s in bounds_s]), histogram.total)


def exponential(histogram: Histogram, most: int = MOST_BUCKETS) -> Exponential:
    """The finest exponential buckets of which at most `most` are needed."""
    values_us, counts = histogram.middles()
    if not counts.size:
        return Exponential(FINEST_SCALE, 0, ())
    octaves = np.log2(values_us / 1e6)
    scale = FINEST_SCALE
    while (indices := _indices(octaves, scale))[-1] - indices[0] >= most:
        scale -= 1
    offset = int(indices[0])
    found = np.bincount(indices - offset, weights=counts)
    return Exponential(scale, offset, tuple(int(count) for count in found))


def _indices(octaves: Float64s, scale: int) -> Int64s:
    # A bucket has its upper bound, not its lower one.
    indices: Int64s = np.ceil(np.ldexp(octaves, scale)).astype(np.int64) - 1
    return indices
