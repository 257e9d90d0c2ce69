"""latency.hlog is read by hdrh's own reader, and its lines are those of the Java format."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from windows import changed, flat_frame

from loadtest.core.measure.counters import merged
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Level
from loadtest.core.traffic.plan import Plan
from loadtest.report.hdr_log import log_header, log_line, tag_of

LEVELS = (Level(0, 0.0, 10.0, 2, 2), Level(1, 10.0, 20.0, 6, 2))
INTERVAL = re.compile(r"Tag=[^, \n]+,\d+\.\d{3},\d+\.\d{3},\d+\.\d{3},[A-Za-z0-9+/]+=*\n")


@pytest.fixture
def log(tmp_path: Path, plan: Plan, windows: list[Window]) -> Path:
    path = tmp_path / "latency.hlog"
    levels = plan_levels(plan)
    path.write_text(log_header(1_760_000_000.25) + "".join(log_line(window, levels) for window in windows))
    return path


def test_hdrh_reads_every_interval_back(log: Path, windows: list[Window]) -> None:
    reference = HdrHistogram(1, 3_600_000_000, 3)
    reader = HistogramLogReader(str(log), reference)
    intervals = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        intervals.append(interval)
    reader.close()
    told = [window for window in windows if window.ok]
    assert [interval.get_total_count() for interval in intervals] == [window.ok for window in told]
    assert [interval.get_tag() for interval in intervals] == [
        f"level-{window.level}-users-{window.users}" for window in told
    ]
    starts_ms = [interval.get_start_time_stamp() for interval in intervals]
    assert starts_ms == pytest.approx([1000 * (1_760_000_000.25 + window.start_s) for window in told])


def test_the_intervals_add_up_to_the_whole(log: Path, windows: list[Window]) -> None:
    whole = HdrHistogram(1, 3_600_000_000, 3)
    reader = HistogramLogReader(str(log), whole)
    while reader.add_next_interval_histogram() is not None:
        pass
    reader.close()
    ours = merged(window.latencies.client.encoded for window in windows)
    assert np.array_equal(np.frombuffer(whole.counts, np.int64), ours.counts)


def test_the_lines_are_those_of_the_format(log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    assert lines[1:5] == [
        "#[Histogram log format version 1.3]\n",
        "#[BaseTime: 1760000000.250 (seconds since epoch)]\n",
        "#[StartTime: 1760000000.250 (seconds since epoch), Thu Oct 09 08:53:20 UTC 2025]\n",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n',
    ]
    assert lines[0].startswith("#[")
    assert all(INTERVAL.fullmatch(line) for line in lines[5:])
    assert len(lines) == 5 + 120


def test_the_maximum_is_exact_in_milliseconds(windows: list[Window]) -> None:
    window = changed(windows[0], max_ms=24.0404)
    assert log_line(window, LEVELS).split(",")[3] == "24.040"


def test_virtual_time_begins_at_zero() -> None:
    assert "#[BaseTime: 0.000 " in log_header(None)


def test_a_window_without_a_success_is_a_gap(windows: list[Window]) -> None:
    assert log_line(windows[-1], LEVELS) == ""


@pytest.mark.parametrize(("level", "tag"), [(0, "level-0-users-2"), (1, "level-1-users-2-6"), (None, "between-levels")])
def test_tags(windows: list[Window], level: int | None, tag: str) -> None:
    assert tag_of(changed(windows[0], level=level), LEVELS) == tag


def test_streamed_answers_have_intervals_of_their_own(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.record(Outcome(Kind.OK, 200, 1, 0, 20_000_000, 50_000_000, gaps_ns=(10_000_000, 20_000_000)))
    window = recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0))
    path = tmp_path / "latency.hlog"
    path.write_text(log_header(0.0) + log_line(window, LEVELS))
    reader = HistogramLogReader(str(path), HdrHistogram(1, 3_600_000_000, 3))
    found = [reader.get_next_interval_histogram() for _ in range(3)]
    reader.close()
    assert [interval.get_tag() for interval in found] == ["level-0-users-2", "ttfb", "inter-chunk"]
    assert [interval.get_total_count() for interval in found] == [1, 1, 2]
    assert [line.split(",")[3] for line in path.read_text().splitlines()[-3:]] == ["50.000", "20.000", "20.000"]
