"""Folders of each kind that an earlier version wrote: read, and written again byte for byte in every member they have."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from places import DATA

from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.report.hdr_log import log_header, log_line
from loadtest.report.recovery import read_run
from loadtest.report.summary import summary_of
from loadtest.report.tables import levels_csv

RUNS = DATA / "runs"
KINDS = ("closed", "open", "streamed", "workers", "confirmed", "confirmed/confirm")


def dumped(value: Any) -> str:
    return json.dumps(plain(value), separators=(",", ":"))


def rounded(value: Any) -> Any:
    """To 13 digits: from Python 3.12 on `sum` compensates what adding floats loses, so the last digits may differ."""
    if isinstance(value, dict):
        return {name: rounded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, str) and "." in value:  # of a CSV file
        try:
            return rounded(float(value))
        except ValueError:
            return value
    return float(f"{value:.13g}") if isinstance(value, float) else value


@pytest.mark.parametrize("kind", KINDS)
def test_windows(kind: str) -> None:
    for line in (RUNS / kind / "windows.jsonl").read_text().splitlines():
        stored = json.loads(line)
        again = Window.from_dict(stored).to_dict()
        assert list(again)[: len(stored)] == list(stored), "the same order; what is new comes after it"
        assert dumped({name: again[name] for name in stored}) == line


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_and_its_summary(kind: str) -> None:
    stored = rounded(json.loads((RUNS / kind / "summary.json").read_text()))
    result = read_run(RUNS / kind)
    again = rounded(json.loads(json.dumps(summary_of(result))))
    for name, value in stored.items():
        if name in ("levels", "verdicts"):
            for old, new in zip(value, again[name], strict=True):
                assert {member: new[member] for member in old} == old
        elif name in ("totals", "overall", "best", "model_latency") and value is not None:
            assert {member: again[name][member] for member in value} == value
        elif name == "workers":
            assert [
                {member: new[member] for member in old} for old, new in zip(value, again[name], strict=True)
            ] == value
        else:
            assert again[name] == value, name


@pytest.mark.parametrize("kind", KINDS)
def test_levels_and_the_histogram_log(kind: str) -> None:
    result = read_run(RUNS / kind)
    stored = rounded(list(csv.DictReader((RUNS / kind / "levels.csv").read_text().splitlines())))
    again = rounded(list(csv.DictReader(levels_csv(result.levels).splitlines())))
    assert [{name: new[name] for name in old} for old, new in zip(stored, again, strict=True)] == stored
    levels = plan_levels(result.plan)
    log = log_header(result.started_at) + "".join(log_line(window, levels) for window in result.windows)
    assert log == (RUNS / kind / "latency.hlog").read_text()


def test_the_workers_of_a_stored_run_are_read() -> None:
    assert [worker.index for worker in read_run(RUNS / "workers").workers] == [0, 1]
