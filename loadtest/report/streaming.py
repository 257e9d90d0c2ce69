"""Streamed answers on a terminal: when the first part came, and how far the parts were apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from loadtest.core.measure.distribution import Latencies
from loadtest.core.result.result import RunResult
from loadtest.report.words import level_users, milliseconds

__all__ = ["streaming_tables"]

MAX_ROWS, FIRST_ROWS = 24, 4


def streaming_tables(result: RunResult) -> Iterator[Table]:
    """TTFB and inter-chunk latency: a row a level and one for the whole run; nothing if nothing was streamed."""
    if result.totals.latencies.ttfb.p50_ms is None:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("streamed\nusers", justify="right", no_wrap=True)
    for heading in ("TTFB\np50 ms", "\np95", "\np99", "\nmax", "inter-chunk\np50 ms", "\np95", "\np99", "\nmax"):
        table.add_column(heading, justify="right", no_wrap=True)
    levels = [level for level in result.levels if level.latencies.ttfb.p50_ms is not None]
    skipped = max(0, len(levels) - MAX_ROWS)
    for i, level in enumerate([] if result.plan.arrivals is not None else levels):
        if skipped and i == FIRST_ROWS:
            table.add_row(f"({skipped} more)")
        if not skipped or not FIRST_ROWS <= i < FIRST_ROWS + skipped:
            table.add_row(level_users(level.plan), *_cells(level.latencies))
    table.add_row("all", *_cells(result.totals.latencies))
    yield table


def _cells(latencies: Latencies) -> Sequence[str]:
    return [milliseconds(value) for value in (*latencies.ttfb.row, *latencies.inter_chunk.row)]
