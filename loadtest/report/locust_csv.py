"""`stats_history.csv` with Locust's column names, for the dashboards and scripts that read it: a row a window.

As Locust does without --csv-full-history, percentiles and totals are of all requests so far, rates those of the moment.
Two things differ, both for the better: latencies are of successes alone, and they are not rounded to two digits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.result.result import RunResult

__all__ = ["COLUMNS", "stats_history"]

SHARES = (0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0)
PERCENTILES = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")
COLUMNS = (
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
    *PERCENTILES,
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
)
NONE_YET = "N/A"  # as Locust writes it
NAME = "Aggregated"


def stats_history(result: RunResult) -> str:
    """The whole file. Timestamps are whole epoch seconds, or seconds since the start of a run in virtual time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(result))
    return out.getvalue()


def _rows(result: RunResult) -> Iterator[list[str]]:
    sofar, completed, failed, size, latency_s, highest_ms = Histogram(), 0, 0, 0, 0.0, 0.0
    for window in result.windows:
        counts = window.counts
        sofar.add(merged([window.latencies.client.encoded]))
        completed, failed, size = completed + counts.completed, failed + counts.failed, size + counts.bytes_in
        latency_s += counts.latency_sum_s
        highest_ms = max(highest_ms, window.latencies.client.max_ms or 0.0)
        ok = completed - failed
        percentiles = sofar.percentiles_us(SHARES)
        # A counter stands for a small range, the maximum is exact.
        shown = [NONE_YET if value is None else f"{min(value / 1000, highest_ms):.3f}" for value in percentiles]
        yield [
            str(int((result.started_at or 0.0) + window.end_s)),
            str(window.load.running),
            "",
            NAME,
            f"{counts.completed / window.length_s:.6f}" if window.length_s else "0",
            f"{counts.failed / window.length_s:.6f}" if window.length_s else "0",
            *shown,
            str(completed),
            str(failed),
            "0" if ok == 0 else shown[0],
            f"{1000 * latency_s / ok:.3f}" if ok else "0",
            f"{(sofar.min_us or 0) / 1000:.3f}",
            f"{highest_ms:.3f}",
            f"{size / completed:.3f}" if completed else "0",
        ]
