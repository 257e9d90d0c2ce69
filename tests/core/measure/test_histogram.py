"""The histogram against HdrHistogram_py: equal counters and encodings, and one test for each trap in it."""

import gc
import math
import tracemalloc

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.core.measure.histogram import DIGITS, HIGHEST_US, LOWEST_US, Histogram

VALUES = st.lists(st.integers(LOWEST_US, HIGHEST_US) | st.integers(1, 5000), min_size=1, max_size=60)


def ours(values):
    histogram = Histogram()
    histogram.record(values)
    return histogram


def theirs(values):
    hdr = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for value in values:
        assert hdr.record_value(value)
    return hdr


def equivalent(value):
    """The highest value that shares a counter with `value`."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS).get_highest_equivalent_value(value)


# Powers of two and their neighbours are where buckets begin; the borders of the range where mistakes show.
EDGES = sorted(
    {LOWEST_US, HIGHEST_US, *(min(2**k + d, HIGHEST_US) for k in range(32) for d in (-1, 0, 1) if 2**k + d > 0)}
)


@settings(max_examples=30)
@given(VALUES)
def test_counters_equal_those_of_hdrh(values):
    assert ours(values).counts.tolist() == list(theirs(values).counts)


def test_counters_equal_those_of_hdrh_at_the_edges():
    assert ours(EDGES).counts.tolist() == list(theirs(EDGES).counts)
    assert ours(EDGES).clamped == 0


@settings(max_examples=30)
@given(VALUES)
def test_encoding_is_read_by_hdrh_and_back(values):
    decoded = HdrHistogram.decode(ours(values).encode())
    assert list(decoded.counts) == list(theirs(values).counts)
    assert decoded.get_total_count() == len(values)
    assert (decoded.get_min_value(), decoded.get_max_value()) == (
        theirs(values).get_min_value(),
        theirs(values).get_max_value(),
    )
    back = Histogram.decode(theirs(values).encode().decode())
    assert back.counts.tolist() == ours(values).counts.tolist()
    assert back.mean_us == pytest.approx(ours(values).mean_us, rel=1e-3)


@settings(max_examples=30)
@given(VALUES)
def test_encoding_equals_that_of_hdrh(values):
    assert ours(values).encode() == theirs(values).encode().decode()


@given(VALUES, st.lists(st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]), min_size=1, max_size=4))
def test_percentiles_are_those_of_the_sorted_samples(values, shares):
    ordered = sorted(values)
    ranks = [max(1, math.ceil(round(share * 1000) * len(values) / 1000)) for share in shares]
    assert ours(values).percentiles_us(shares) == [equivalent(ordered[rank - 1]) for rank in ranks]
    assert [ours(values).value_at_rank_us(rank) for rank in ranks] == ours(values).percentiles_us(shares)


def test_trap_1_the_rank_is_the_ceiling():
    """hdrh rounds the rank: of 11 values its p95 is the 10th."""
    values = [100 * k for k in range(1, 12)]
    assert ours(values).percentile_us(0.95) == equivalent(1100)
    assert theirs(values).get_value_at_percentile(95) < 1100
    for n in range(1, 201):
        expected = -(-95 * n // 100)
        assert ours(range(1, n + 1)).percentile_us(0.95) == expected, n


def test_trap_2_adding_an_empty_histogram_changes_nothing():
    """hdrh's minimum becomes 0."""
    histogram = ours([500, 900])
    histogram.add(Histogram())
    assert (histogram.min_us, histogram.max_us, histogram.total, histogram.mean_us) == (500, 900, 2, 700)
    empty = Histogram()
    empty.add(ours([500]))
    assert empty.min_us == 500


def test_trap_3_values_out_of_range_are_clamped_and_counted():
    """hdrh drops them."""
    assert not HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS).record_value(2 * HIGHEST_US)
    histogram = ours([0, -5, 1, HIGHEST_US, HIGHEST_US + 1, 2**62])
    assert (histogram.total, histogram.clamped) == (6, 4)
    assert (histogram.min_us, histogram.max_us) == (1, equivalent(HIGHEST_US))


def test_trap_4_the_mean_is_exact_and_kept():
    """hdrh walks all counters for a mean of their middle values."""
    values = [1, 10_001, 1_000_003]
    assert ours(values).mean_us == sum(values) / 3
    assert theirs(values).get_mean_value() != sum(values) / 3


def test_trap_5_merging_is_exact():
    a, b = [5, 50, 5000, 10**9], [1, 50, 123_456]
    merged = ours(a)
    merged.add(ours(b))
    assert merged.counts.tolist() == ours(a + b).counts.tolist()
    assert (merged.sum_us, merged.clamped) == (ours(a + b).sum_us, 0)
    clamped = ours([0])
    clamped.add(ours([HIGHEST_US + 1, 7]))
    assert (clamped.clamped, clamped.total) == (2, 3)


def test_an_empty_histogram():
    empty = Histogram()
    assert (empty.total, empty.mean_us, empty.min_us, empty.max_us, empty.percentile_us(0.5)) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert empty.recorded() == []
    empty.record([])
    assert empty.total == 0
    assert Histogram.decode("").total == 0
    assert Histogram.decode(empty.encode()).total == 0
    with pytest.raises(ValueError, match="rank 1 of 0"):
        empty.value_at_rank_us(1)


@pytest.mark.parametrize(
    "payload", ["x", "AAAA", "HISTFAAAAA", theirs([5]).encode().decode()[:-8], "\x00", "ü"], ids=range(6)
)
def test_what_is_no_payload_is_refused(payload):
    with pytest.raises(ValueError, match="not an HdrHistogram V2 payload"):
        Histogram.decode(payload)


@pytest.mark.parametrize("shape", [(1, 60_000_000, 3), (1, HIGHEST_US, 2), (2, HIGHEST_US, 3)])
def test_a_payload_of_another_range_is_refused(shape):
    with pytest.raises(ValueError, match="another range"):
        Histogram.decode(HdrHistogram(*shape).encode().decode())


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_a_share(share):
    with pytest.raises(ValueError, match="a share"):
        ours([1]).percentile_us(share)


@given(VALUES, st.integers(1, HIGHEST_US))
def test_counts_up_to_a_value_to_the_counters_resolution(values, limit):
    assert ours(values).counts_up_to([limit]) == [sum(value <= equivalent(limit) for value in values)]


@given(VALUES)
def test_recorded_lists_every_counter(values):
    recorded = ours(values).recorded()
    assert recorded == sorted(recorded)
    assert sum(count for _, count in recorded) == len(values)
    assert {value for value, _ in recorded} == {equivalent(value) for value in values}


@given(st.integers(1, HIGHEST_US))
def test_a_reported_value_is_at_most_a_thousandth_above_the_true_one(value):
    reported = ours([value]).percentile_us(0.5)
    assert reported is not None
    assert value <= reported <= value * 1.001


def test_windows_of_a_second_over_five_hours_stay_small():
    """18,000 windows as they are kept, encoded, each with the spread of a real second: 500 latencies around 20 ms.

    Without the cycle collector, since hdrh's histograms hold each other (2 x 188 KB a window). What is left besides the
    payload, 0.6 KB, is ctypes' type for each length of payload, 2.5 KB.
    """
    rng = np.random.default_rng(1)
    windows = [rng.lognormal(math.log(20_000), 0.5, 500).astype(np.int64) for _ in range(50)]
    Histogram.decode(ours(windows[0]).encode())
    kept = []
    gc.disable()
    tracemalloc.start()
    try:
        for window in windows:
            kept.append(ours(window).encode())
            Histogram.decode(kept[-1])
        used_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert used_bytes / len(kept) * 18_000 < 80e6


def test_memory_does_not_grow_with_requests():
    histogram = Histogram()
    values = np.arange(1, 100_001)
    histogram.record(values)
    size = histogram.counts.nbytes
    for _ in range(20):
        histogram.record(values)
    assert histogram.total == 2_100_000
    assert histogram.counts.nbytes == size < 200_000


def test_counts_up_to() -> None:
    histogram = Histogram()
    histogram.record([1, 10_000, 10_000, 10_020, HIGHEST_US])
    assert histogram.counts_up_to([0, 1, 9_990, 10_000, 10_020, 10**12]) == [1, 1, 1, 3, 4, 5]
    assert Histogram().counts_up_to([]) == []
