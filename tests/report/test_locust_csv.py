"""stats_history.csv: Locust's own columns, in its order, and totals that are the run's."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace

import pytest
from windows import changed

from loadtest.core.result.result import RunResult
from loadtest.report.locust_csv import COLUMNS, stats_history


def test_the_columns_are_those_of_the_installed_locust() -> None:
    code = (
        "from locust.env import Environment; from locust.stats import StatsCSVFileWriter, PERCENTILES_TO_REPORT;"
        "print('\\n'.join(StatsCSVFileWriter(Environment(), PERCENTILES_TO_REPORT, '/nonexistent/x')"
        ".stats_history_csv_columns))"
    )
    # In a process of its own, which Locust patches. Its writer opens its files at once, so they must be openable.
    code = code.replace("'/nonexistent/x'", "__import__('tempfile').mkdtemp() + '/x'")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tuple(done.stdout.splitlines()) == COLUMNS


def test_rows(result: RunResult) -> None:
    rows = list(csv.DictReader(stats_history(result).splitlines()))
    assert len(rows) == len(result.windows)
    assert rows[0]["Name"] == "Aggregated"
    assert rows[0]["Timestamp"] == str(int((result.started_at or 0) + 1))
    last = rows[-1]
    assert int(last["Total Request Count"]) == result.totals.ok + result.totals.errors
    assert int(last["Total Failure Count"]) == result.totals.errors
    client = result.totals.latencies.client
    assert float(last["95%"]) == pytest.approx(client.p95_ms, abs=1e-3)
    assert float(last["Total Average Response Time"]) == pytest.approx(client.mean_ms, rel=1e-3)
    assert float(last["50%"]) <= float(last["99%"]) <= float(last["100%"])
    assert [int(row["Total Request Count"]) for row in rows] == sorted(int(row["Total Request Count"]) for row in rows)
    window = result.windows[5]
    assert float(rows[5]["Requests/s"]) == pytest.approx(window.completed / window.length_s)


def test_before_the_first_success_there_is_no_percentile(result: RunResult) -> None:
    empty = changed(result.windows[0], ok=0, errors={}, latency="", latency_sum_s=0.0)
    (row,) = csv.DictReader(stats_history(replace(result, windows=(empty,))).splitlines())
    assert row["50%"] == "N/A"
    assert row["Total Request Count"] == row["Total Average Response Time"] == "0"
