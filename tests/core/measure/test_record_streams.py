"""Streamed answers in windows: time to the first part and gaps between parts, merged exactly."""

from __future__ import annotations

import pytest
from windows import flat_frame

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import level_results
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Frame, Recorder
from loadtest.core.measure.totals import totals_of
from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.traffic.curve import Step, TrafficCurve

MS = 1_000_000


def frame(index: int = 0) -> Frame:
    return flat_frame(index, float(index), index + 1.0, 0, 1, 1, 1.0)


def streamed(first_ms: int, gaps_ms: tuple[int, ...], kind: Kind = Kind.OK) -> Outcome:
    done = (first_ms + sum(gaps_ms) + 1) * MS
    gaps = tuple(gap * MS for gap in gaps_ms) if kind is Kind.OK else None
    return Outcome(kind, 200, 10, 0, first_ms * MS, done, gaps_ns=gaps)


def window_of(*outcomes: Outcome) -> Window:
    recorder = Recorder()
    for outcome in outcomes:
        recorder.record(outcome)
    return recorder.take(frame())


def test_a_window_without_streams_has_no_such_histograms() -> None:
    window = window_of(Outcome(Kind.OK, 200, 2, 0, MS, 2 * MS))
    assert (
        window.latencies.ttfb.encoded,
        window.latencies.inter_chunk.encoded,
        window.latencies.ttfb.p50_ms,
        window.latencies.inter_chunk.max_ms,
    ) == ("", "", None, None)
    assert merge_windows([window, window]).latencies.ttfb.encoded == ""


def test_first_parts_and_gaps_are_counted_each() -> None:
    window = window_of(streamed(20, (5, 10, 0)), streamed(40, ()), streamed(9, (9,), Kind.TIMEOUT))
    first, gap = Histogram.decode(window.latencies.ttfb.encoded), Histogram.decode(window.latencies.inter_chunk.encoded)
    assert (first.total, gap.total) == (2, 3)
    assert first.percentile_us(0.5) == 20_015  # the highest value of its counter, 1/1024 above at most
    assert [round((value or 0) / 1000) for value in gap.percentiles_us([0.01, 0.6, 1.0])] == [0, 5, 10]
    assert (window.latencies.ttfb.p50_ms, window.latencies.ttfb.p99_ms, window.latencies.ttfb.max_ms) == (
        20.015,
        40,
        40,
    )
    assert (window.latencies.inter_chunk.p50_ms, window.latencies.inter_chunk.max_ms) == (
        pytest.approx(5, rel=0.001),
        10,
    )


def test_parts_that_came_together_are_no_value_out_of_range() -> None:
    assert Histogram.decode(window_of(streamed(1, (0, 0, 0))).latencies.inter_chunk.encoded).min_us == 1
    assert window_of(streamed(1, (0, 0, 0))).counts.clamped == 0


def test_the_next_window_starts_empty() -> None:
    recorder = Recorder()
    recorder.record(streamed(20, (5,)))
    assert recorder.take(frame()).latencies.inter_chunk.encoded
    assert recorder.take(frame(1)).latencies.inter_chunk.encoded == ""


def test_merging_adds_every_counter_also_when_one_part_has_none() -> None:
    one, other = window_of(streamed(20, (5, 5))), window_of(streamed(30, (7,)))
    plain = window_of(Outcome(Kind.OK, 200, 2, 0, MS, 2 * MS))
    merged = merge_windows([one, plain, other])
    assert (merged.latencies.ttfb.max_ms, merged.latencies.inter_chunk.max_ms) == (30, 7)
    for name in ("ttfb", "inter_chunk"):
        whole = Histogram.decode(getattr(one.latencies, name).encoded)
        whole.add(Histogram.decode(getattr(other.latencies, name).encoded))
        assert (Histogram.decode(getattr(merged.latencies, name).encoded).counts == whole.counts).all()


def test_they_survive_the_way_through_json() -> None:
    window = window_of(streamed(20, (5,)))
    assert Window.from_dict(window.to_dict()) == window


def test_levels_and_totals_are_the_exact_sum() -> None:
    windows = [window_of(streamed(10 * k, (k,))) for k in range(1, 101)]
    (level,) = level_results(TrafficCurve((Step(0.0, 1),), 1.0).levels(0.1), windows)
    totals = totals_of(windows, Histogram(), Histogram())
    for figures in (level, totals):
        assert (
            figures.latencies.ttfb.p50_ms,
            figures.latencies.ttfb.p95_ms,
            figures.latencies.ttfb.p99_ms,
            figures.latencies.ttfb.max_ms,
        ) == pytest.approx((500, 950, 990, 1000), rel=0.001)
        assert (
            figures.latencies.inter_chunk.p50_ms,
            figures.latencies.inter_chunk.p99_ms,
            figures.latencies.inter_chunk.max_ms,
        ) == pytest.approx((50, 99, 100), rel=0.001)


def test_an_answer_in_one_part_has_no_time_between_parts() -> None:
    window = window_of(streamed(20, ()))
    totals = totals_of([window], Histogram(), Histogram())
    assert (totals.latencies.ttfb.max_ms, totals.latencies.inter_chunk.p50_ms, totals.latencies.inter_chunk.max_ms) == (
        20,
        None,
        None,
    )
