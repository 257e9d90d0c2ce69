"""TTFB and inter-chunk latency on a terminal: a row a level, one for all, and nothing where nothing was streamed."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from windows import changed_level, changed_totals

from loadtest.core.result.result import RunResult
from loadtest.report.streaming import streaming_tables

TTFB = {"ttfb_p50_ms": 20.0, "ttfb_p95_ms": 31.5, "ttfb_p99_ms": 40.0, "ttfb_max_ms": 41.0}
GAPS = {
    "inter_chunk_p50_ms": 10.0,
    "inter_chunk_p95_ms": 12.5,
    "inter_chunk_p99_ms": 99.5,
    "inter_chunk_max_ms": 1234.0,
}


def shown(result: RunResult, width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    for table in streaming_tables(result):
        console.print(table)
    return out.getvalue()


def test_nothing_was_streamed(result: RunResult) -> None:
    assert shown(result) == ""


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_a_level_and_one_for_all(result: RunResult, width: int) -> None:
    levels = tuple(changed_level(level, **TTFB, **GAPS) for level in result.levels)
    streamed = replace(result, levels=levels, totals=changed_totals(result.totals, **TTFB, **GAPS))
    heads, *rows = [line.split() for line in shown(streamed, width).splitlines() if line.strip()]
    assert heads == ["streamed", "TTFB", "inter-chunk"]
    cells = ["20.0", "31.5", "40.0", "41.0", "10.0", "12.5", "99.5", "1,234"]
    assert rows[2:] == [["2", *cells], ["4", *cells], ["6", *cells], ["all", *cells]]


def test_answers_in_one_part_have_no_time_between_parts(result: RunResult) -> None:
    streamed = replace(result, levels=(), totals=changed_totals(result.totals, **TTFB))
    assert shown(streamed).split()[-9:] == ["all", "20.0", "31.5", "40.0", "41.0", "-", "-", "-", "-"]
