"""requests.csv: a share of the requests as they were, drawn by the seed, bounded; and nothing at all unless asked for."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from windows import flat_window

from loadtest.core.measure.sampled import MOST_PER_WINDOW, Sampler
from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.request.spec import RunOptions, Stairs, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.sim import simulate
from loadtest.report.folder import RunFolder
from loadtest.report.recovery import read_run
from loadtest.report.requests_csv import RequestRows

FAILED = -1
LATENCIES = np.arange(1, 20_001, dtype=np.int64) * 1000
NO_MODEL = np.full(20_000, -1, np.int64)


def plan_of(share: float) -> Plan:
    target = TargetRef("mock:servers=4,service_ms=20,error_ratio=0.1")
    return Plan(curve_of(Stairs(2, 2, 6)), StopConditions(), target, options=RunOptions(log_requests=share))


def test_a_share_is_drawn_by_the_seed() -> None:
    few = Sampler(0.01, 1).drawn(3, LATENCIES, NO_MODEL, FAILED)
    assert 150 < len(few) < 250
    assert few == Sampler(0.01, 1).drawn(3, LATENCIES, NO_MODEL, FAILED)
    assert few != Sampler(0.01, 2).drawn(3, LATENCIES, NO_MODEL, FAILED)
    assert few != Sampler(0.01, 1).drawn(4, LATENCIES, NO_MODEL, FAILED)
    assert all(latency_us == place + 1 for place, latency_us, _ in few)


def test_a_window_has_a_bound_and_is_covered_to_its_end() -> None:
    most = Sampler(1.0, 1).drawn(0, LATENCIES, NO_MODEL, FAILED)
    assert len(most) == MOST_PER_WINDOW
    assert most[-1][0] > 19_500
    assert [place for place, _, _ in most] == sorted({place for place, _, _ in most})


def test_failures_are_rows_without_a_latency() -> None:
    latencies = np.array([1000, FAILED, 3000], np.int64)
    found = Sampler(1.0, 1).drawn(0, latencies, np.array([1, -1, 2], np.int64), FAILED)
    assert found == ((0, 1, 1), (1, -1, -1), (2, 3, 2))


def test_nothing_is_drawn_unless_asked_for() -> None:
    plan = plan_of(0.0)
    assert not any(window.requests for window in simulate(plan).windows)
    assert "requests" not in simulate(plan).windows[0].to_dict()


def test_they_cross_a_process_border_and_add_up() -> None:
    window = replace(flat_window(0), requests=((0, 5, -1), (2, 7, 6)))
    assert Window.from_dict(json.loads(json.dumps(window.to_dict()))) == window
    assert merge_windows([window, window]).requests == window.requests * 2
    assert window.light().requests == ()


def test_the_file(tmp_path: Path) -> None:
    plan = plan_of(0.5)
    with RunFolder(tmp_path, plan, created_at=1.76e9) as folder:
        result = simulate(plan, on_window=folder.window)
        path = folder.finish(result)
    assert not folder.missing
    rows = list(csv.DictReader((path / "requests.csv").read_text().splitlines()))
    counts = result.totals.ok + result.totals.errors
    assert 0.35 * counts < len(rows) < 0.65 * counts
    assert {row["ok"] for row in rows} == {"0", "1"}
    assert all((row["latency_ms"] == "") == (row["ok"] == "0") for row in rows)
    slowest_ms = max(float(row["latency_ms"]) for row in rows if row["ok"] == "1")
    assert slowest_ms <= (result.totals.latencies.client.max_ms or 0) + 0.001
    assert "requests" not in (path / "windows.jsonl").read_text(), "their file is another"
    assert read_run(path).totals == result.totals


def test_the_file_is_not_there_unless_asked_for(tmp_path: Path) -> None:
    plan = plan_of(0.0)
    with RunFolder(tmp_path, plan, created_at=1.76e9) as folder:
        path = folder.finish(simulate(plan, on_window=folder.window))
    assert not (path / "requests.csv").exists()


def test_a_full_file_says_so() -> None:
    rows = RequestRows(most=3)
    window = replace(flat_window(0), requests=((0, 5, -1), (2, 7, 6)))
    assert rows.rows(window).splitlines() == ["0,0.0,1.0,0,1,0.005,", "0,0.0,1.0,2,1,0.007,0.006"]
    assert rows.problems() == ()
    assert len(rows.rows(window).splitlines()) == 1
    assert rows.rows(window) == ""
    assert "full before the end" in rows.problems()[0]


def test_rows_that_could_not_be_written_are_missed(tmp_path: Path) -> None:
    plan = plan_of(0.5)
    with RunFolder(tmp_path, plan, created_at=1.76e9) as folder:
        (folder.path / "requests.csv").unlink()
        folder.finish(simulate(plan, on_window=folder.window))
    assert "requests.csv" in folder.missing
