"""Streamed answers in windows: time to the first part and gaps between parts, merged exactly."""

from __future__ import annotations

from loadtest.core.histogram import Histogram
from loadtest.core.outcome import Kind, Outcome
from loadtest.core.record import Frame, Recorder
from loadtest.core.window import Window, merge_windows

MS = 1_000_000


def frame(index: int = 0) -> Frame:
    return Frame(index, float(index), index + 1.0, 0, 1, 1, 1.0)


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
    assert (window.first_byte, window.gap) == ("", "")
    assert merge_windows([window, window]).first_byte == ""


def test_first_parts_and_gaps_are_counted_each() -> None:
    window = window_of(streamed(20, (5, 10, 0)), streamed(40, ()), streamed(9, (9,), Kind.TIMEOUT))
    first, gap = Histogram.decode(window.first_byte), Histogram.decode(window.gap)
    assert (first.total, gap.total) == (2, 3)
    assert first.percentile_us(0.5) == 20_015  # the highest value of its counter, 1/1024 above at most
    assert [round((value or 0) / 1000) for value in gap.percentiles_us([0.01, 0.6, 1.0])] == [0, 5, 10]


def test_parts_that_came_together_are_no_value_out_of_range() -> None:
    assert Histogram.decode(window_of(streamed(1, (0, 0, 0))).gap).min_us == 1
    assert window_of(streamed(1, (0, 0, 0))).clamped == 0


def test_the_next_window_starts_empty() -> None:
    recorder = Recorder()
    recorder.record(streamed(20, (5,)))
    assert recorder.take(frame()).gap
    assert recorder.take(frame(1)).gap == ""


def test_merging_adds_every_counter_also_when_one_part_has_none() -> None:
    one, other = window_of(streamed(20, (5, 5))), window_of(streamed(30, (7,)))
    plain = window_of(Outcome(Kind.OK, 200, 2, 0, MS, 2 * MS))
    merged = merge_windows([one, plain, other])
    for name in ("first_byte", "gap"):
        whole = Histogram.decode(getattr(one, name))
        whole.add(Histogram.decode(getattr(other, name)))
        assert (Histogram.decode(getattr(merged, name)).counts == whole.counts).all()


def test_they_survive_the_way_through_json() -> None:
    window = window_of(streamed(20, (5,)))
    assert Window.from_dict(window.to_dict()) == window
