"""Reading a payload's used counters agrees with decoding all of it."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.core.measure.counters import add_quickly, merged
from loadtest.core.measure.histogram import Histogram


def payload(values_us: list[int]) -> str:
    histogram = Histogram()
    histogram.record(values_us)
    return histogram.encode()


def decoded(payloads: list[str]) -> Histogram:
    whole = Histogram()
    for text in payloads:
        whole.add(Histogram.decode(text))
    return whole


LATENCIES = st.lists(st.integers(1, 3_600_000_000), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(LATENCIES, max_size=4))
def test_the_sum_is_that_of_full_decoding(parts: list[list[int]]) -> None:
    payloads = [payload(part) for part in parts]
    assert add_quickly(Histogram().counts, payloads), "the quick way was not taken"
    ours, theirs = merged(payloads), decoded(payloads)
    assert np.array_equal(ours.counts, theirs.counts)
    assert ours.sum_us == pytest.approx(theirs.sum_us)
    assert ours.total == sum(map(len, parts))


def test_large_counts_survive() -> None:
    histogram = Histogram()
    histogram.counts[[0, 1, 2047, 20_000]] = [1, 2**31, 2**40, 2**54]
    assert np.array_equal(merged([histogram.encode()]).counts, histogram.counts)


def test_nothing_is_an_empty_histogram() -> None:
    assert merged([]).total == merged(["", Histogram().encode()]).total == 0


@pytest.mark.parametrize("bad", ["nonsense", "AAAA", "HISTFAAA", base64.b64encode(bytes(80)).decode()])
def test_what_decode_refuses_is_refused(bad: str) -> None:
    assert not add_quickly(Histogram().counts, [bad])
    with pytest.raises(ValueError, match="payload"):
        merged([bad])


@given(st.integers(0, 200), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_payload_never_crashes_the_quick_way(place: int, byte: int) -> None:
    raw = bytearray(base64.b64decode(payload([1, 500, 500, 70_000, 3_000_000])))
    raw[place % len(raw)] = byte
    add_quickly(Histogram().counts, [base64.b64encode(bytes(raw)).decode()])


def test_more_payloads_than_a_batch_and_empty_ones_between() -> None:
    payloads = [payload([k % 7 + 1, 5000 * k + 1]) if k % 3 else ("", Histogram().encode())[k % 2] for k in range(600)]
    assert np.array_equal(merged(payloads).counts, decoded(payloads).counts)


def test_one_unusual_payload_leaves_its_batch_to_full_decoding() -> None:
    huge = Histogram()
    huge.counts[[3, 99]] = [2**60, 1]
    payloads = [payload([5, 70_000]), huge.encode(), payload([6])]
    assert not add_quickly(Histogram().counts, payloads)
    assert np.array_equal(merged(payloads).counts, decoded(payloads).counts)
