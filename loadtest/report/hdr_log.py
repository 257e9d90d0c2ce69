"""`latency.hlog`: HdrHistogram's log format, one tagged interval a window, as HistogramLogProcessor reads it.

Values are microseconds, so the Java tools take `-outputValueUnitRatio 1000` to show milliseconds; the Interval_Max
column is in milliseconds already. Written by us because hdrh's writer knows no tags and floors the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from loadtest.core.measure.levels import level_named
from loadtest.core.measure.window import Window
from loadtest.core.traffic.curve import Level
from loadtest.report.words import level_users

__all__ = ["LEGEND", "log_header", "log_line", "tag_of"]

LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def log_header(started_at: float | None) -> str:
    """The lines before the intervals. started_at: epoch seconds; None (virtual time): 0."""
    base_s = started_at or 0.0
    date = datetime.fromtimestamp(base_s, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    return (
        "#[Client latency of successful invocations in microseconds; Interval_Max in milliseconds]\n"
        "#[Histogram log format version 1.3]\n"
        f"#[BaseTime: {base_s:.3f} (seconds since epoch)]\n"
        f"#[StartTime: {base_s:.3f} (seconds since epoch), {date}]\n"
        f"{LEGEND}\n"
    )


def log_line(window: Window, levels: Sequence[Level]) -> str:
    """The window's intervals; "" without a success.

    One of the latency; of an open workload a second one, of the response latency; of streamed answers one of the time
    to the first part and, if there were more parts, one of the time from part to part; of the connections that were
    opened, one of how long they took.

    An empty histogram is left out: hdrh's `add` of one sets the sum's minimum to 0, and a gap says the same.
    """
    if not window.latencies.client.encoded:
        return ""
    tag, times = tag_of(window, levels), f"{window.start_s:.3f},{window.length_s:.3f}"
    latencies = window.latencies
    intervals = (
        ("open-service" if latencies.response.encoded else tag, latencies.client),
        ("open-response", latencies.response),
        ("ttfb", latencies.ttfb),
        ("inter-chunk", latencies.inter_chunk),
        ("connect", latencies.connect),
    )
    return "".join(f"Tag={tag},{times},{of.max_ms or 0.0:.3f},{of.encoded}\n" for tag, of in intervals if of.encoded)


def tag_of(window: Window, levels: Sequence[Level]) -> str:
    """`level-2-users-6`, or `level-2-users-4-6` where users rise or fall; `between-levels` for a window in none."""
    level = level_named(levels, window)
    if level is None:
        return "between-levels"
    return f"level-{level.index}-users-{level_users(level)}"
