from __future__ import annotations

import json

import numpy as np
import pytest
from windows import flat_window

from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.totals import Totals, totals_of
from loadtest.core.measure.window import Window


def histogram(ms: list[int]) -> Histogram:
    made = Histogram()
    made.record(np.array(ms, np.int64) * 1000)
    return made


def run() -> list[Window]:
    first = flat_window(
        0, ok=2, errors={"timeout": 1}, details={"timeout read": 1}, over=1, latency_sum_s=0.03, bytes_in=7
    )
    last = flat_window(1, 1.0, 2.5, ok=2, errors={"cut": 3, "timeout": 1}, latency_sum_s=0.07, lost_workers=1)
    known = Latencies(client=Distribution.of(histogram([10, 20]), 20.0))
    return [
        Window(first.span, first.load, first.counts, known),
        Window(last.span, last.load, last.counts, health=last.health),
    ]


def test_a_run_in_figures() -> None:
    totals = totals_of(run(), histogram([10, 20, 30, 40]), Histogram())
    assert (totals.ok, totals.errors, totals.completed, totals.cut) == (4, 5, 9, 3)
    assert totals.error_ratio == pytest.approx(5 / 9)
    assert list(totals.counts.errors) == ["cut", "timeout"], "the most frequent first"
    assert (totals.length_s, totals.throughput_per_s, totals.lost_workers) == (2.5, 1.6, 1)
    assert totals.latencies.client.mean_ms == pytest.approx(25)
    assert totals.latencies.client.p99_ms == 20.0, "no percentile exceeds the largest latency that was seen"
    assert totals.latencies.client.encoded == ""
    assert totals.latencies.model.row == (None,) * 4


def test_an_empty_run_has_no_throughput() -> None:
    totals = totals_of([], Histogram(), Histogram())
    assert totals == Totals()
    assert (totals.throughput_per_s, totals.error_ratio) == (None, 0)


def test_it_comes_back_from_json_as_it_was() -> None:
    totals = totals_of(run(), histogram([10, 20]), histogram([5]))
    assert Totals.from_dict(json.loads(json.dumps({**totals.to_dict(), "added": 1}))) == totals
