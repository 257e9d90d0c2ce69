"""A histogram in other systems' buckets: nothing is lost, and every value lies where the buckets say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.measure.histogram import HIGHEST_US, Histogram
from loadtest.export.buckets import BOUNDS_S, MOST_BUCKETS, explicit, exponential

CONVENTION_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def of(*values_us: int) -> Histogram:
    histogram = Histogram()
    histogram.record(values_us)
    return histogram


def test_the_bounds_are_the_conventions_and_reach_70_s() -> None:
    assert set(CONVENTION_S) < set(BOUNDS_S)
    assert list(BOUNDS_S) == sorted(BOUNDS_S)
    assert {30.0, 60.0, 70.0} < set(BOUNDS_S)


@pytest.mark.parametrize(
    ("values_us", "counts"),
    [
        ((), (0, 0, 0)),
        ((1,), (1, 1, 1)),
        ((10_000,), (1, 1, 1)),  # a bound belongs to its bucket
        ((10_011, 70_000_000), (0, 1, 2)),  # the counter that holds 10,000 us ends at 10,007
        ((HIGHEST_US,), (0, 0, 1)),
    ],
)
def test_explicit_buckets_are_cumulative(values_us: tuple[int, ...], counts: tuple[int, ...]) -> None:
    assert explicit(of(*values_us), (0.01, 1.0)) == counts


@given(st.lists(st.integers(1, HIGHEST_US), max_size=200))
def test_every_value_lies_in_its_exponential_bucket(values_us: list[int]) -> None:
    found = exponential(of(*values_us))
    assert sum(found.counts) == len(values_us)
    assert len(found.counts) <= MOST_BUCKETS
    base = 2.0 ** (2.0**-found.scale)
    # A counter stands for 0.1 % of values, and is placed by its middle.
    indices = [
        np.ceil(np.log2(value_us / 1e6 * factor) / np.log2(base)) - 1
        for value_us in values_us
        for factor in (0.999, 1.001)
    ]
    if indices:
        assert min(indices) <= found.offset
        assert found.offset + len(found.counts) - 1 <= max(indices)


def test_one_latency_has_the_finest_bucket_and_a_wide_range_a_coarser_one() -> None:
    assert exponential(of(40_000)).scale == 8
    assert exponential(of(1, HIGHEST_US)).scale == 2
    assert exponential(of()).counts == ()
