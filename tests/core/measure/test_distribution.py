from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.measure.distribution import NOTHING, Distribution, Latencies
from loadtest.core.measure.histogram import Histogram

NS = st.lists(st.integers(0, 10**10), max_size=30)


def of(ns: list[int]) -> Distribution:
    return Distribution.of_ns(np.array(ns, np.int64))


def test_of_nothing_nothing_is_known() -> None:
    assert of([]) == Distribution.merged([]) == Distribution.merged([NOTHING, NOTHING]) == NOTHING
    assert NOTHING.row == (None,) * 4


@given(NS.filter(bool))
def test_no_percentile_exceeds_the_maximum_and_they_rise(ns: list[int]) -> None:
    p50, p95, p99, most = of(ns).row
    assert p50 is not None
    assert p95 is not None
    assert p99 is not None
    assert most == max(ns) / 1e6
    assert 0 <= p50 <= p95 <= p99 <= max(most, 0.001)


@given(st.lists(NS, max_size=4))
def test_the_merged_is_that_of_all_values(parts: list[list[int]]) -> None:
    assert Distribution.merged(map(of, parts)) == of([each for ns in parts for each in ns])


def test_a_tail_is_of_the_histogram_and_below_the_maximum() -> None:
    values = np.arange(1, 2001, dtype=np.int64) * 1_000_000
    histogram = Histogram()
    histogram.record(values // 1000)
    told = of(list(values)).with_tail(histogram, 1000.5)
    assert told.mean_ms == 1000.5
    assert told.p999_ms == pytest.approx(1998, rel=1e-3)


@given(NS, NS)
def test_the_flat_form_is_read_back(client: list[int], ttfb: list[int]) -> None:
    latencies = Latencies(client=of(client), ttfb=of(ttfb))
    flat = {**latencies.figures(), **latencies.histograms()}
    assert Latencies.from_flat(flat) == latencies
    assert set(flat) >= {"p50_ms", "model_p99_ms", "ttfb_max_ms", "latency", "inter_chunk"}
    assert "model_max_ms" not in flat


def test_an_open_workload_is_judged_from_the_intended_time() -> None:
    both = Latencies(client=of([10**6]), response=of([10**9]))
    assert both.judged == both.response
    assert Latencies(client=both.client).judged == both.client
    assert both.without_histograms("client") == Latencies(
        client=both.client,
        response=Distribution(
            "", *(getattr(both.response, n) for n in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"))
        ),
    )
