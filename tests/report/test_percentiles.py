"""latency.hgrm has the lines that HdrHistogram itself prints."""

from __future__ import annotations

import math
from bisect import bisect_right

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.core.measure.histogram import Histogram
from loadtest.report.percentiles import distribution


def scanned(values_us: list[int]) -> list[list[float]]:
    """The rows by the original's rule, one counter after the other (hdrh's own leaves out its rounding of the ticks).

    A level is reached at the first counter whose share of the values is at least it; the next level lies
    1 / (5 x 2^k) further, k being how often the distance to 100 % was halved, plus one.
    """
    hdr = HdrHistogram(1, 3_600_000_000, 3)
    values = sorted(hdr.get_highest_equivalent_value(value) for value in values_us)
    total, level, rows = len(values), 0.0, []
    for value in sorted(set(values)):
        up_to = bisect_right(values, value)
        while 100 * up_to / total >= level:
            rows.append([round(value / 1000, 3), round(level / 100, 12), up_to, round(1 / (1 - level / 100), 2)])
            if up_to == total:
                return [*rows, [round(value / 1000, 3), 1.0, total]]
            level += 100 / (5 * 2 ** (int(math.log(100 / (100 - level)) / math.log(2)) + 1))
    return rows


def ours(values_us: list[int]) -> list[str]:
    histogram = Histogram()
    histogram.record(values_us)
    return distribution(histogram).splitlines()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 3_600_000_000), min_size=1, max_size=80))
def test_the_rows_are_those_of_a_scan(values_us: list[int]) -> None:
    rows = [[float(cell) for cell in line.split()] for line in ours(values_us)[2:-3]]
    expected = scanned(values_us)
    assert [len(row) for row in rows] == [len(row) for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row == pytest.approx(wanted, abs=0.0051)


def test_columns_are_where_plotting_tools_look_for_them() -> None:
    lines = ours([1_000] * 50 + [2_000] * 49 + [1_000_000])
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [line.split() for line in lines[2:-3]]
    assert rows[0] == ["1.000", "0.000000000000", "50", "1.00"]
    assert rows[-1] == ["1000.447", "1.000000000000", "100"]
    values, shares = [float(row[0]) for row in rows], [float(row[1]) for row in rows]
    assert values == sorted(values)
    assert shares == sorted(shares)
    assert max(shares[:-1]) < 1


def test_the_footer() -> None:
    footer = [line for line in ours([1_000, 3_000]) if line.startswith("#")]
    assert footer[0] == "#[Mean    =        2.000, StdDeviation   =        1.000]"
    assert footer[1] == "#[Max     =        3.001, Total count    =            2]"
    assert footer[2] == "#[Buckets =           22, SubBuckets     =         2048]"


def test_the_footer_agrees_with_hdrhs_buckets() -> None:
    hdr = HdrHistogram(1, 3_600_000_000, 3)
    assert f"{hdr.bucket_count:12d}, SubBuckets     = {hdr.sub_bucket_count:12d}" in ours([1])[-1]


def test_an_empty_histogram_is_a_head_and_zeros() -> None:
    lines = distribution(Histogram()).splitlines()
    assert len(lines) == 5
    assert "Total count    =            0" in lines[3]


def test_mean_and_deviation() -> None:
    footer = next(line for line in ours([1_000] * 3 + [2_000]) if line.startswith("#[Mean"))
    mean, deviation = (float(part.split("=")[1].strip(" ]")) for part in footer.split(","))
    assert mean == pytest.approx(1.25, abs=0.001)
    assert deviation == pytest.approx(0.433, abs=0.001)
