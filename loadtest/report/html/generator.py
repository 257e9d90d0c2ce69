"""The charts of the load generator: how late users started, its processor time, its event loop. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtest.core.measure.marks import LIMITS
from loadtest.core.measure.schedule import LATE_S
from loadtest.core.result.result import RunResult
from loadtest.report.html.buckets import Bucket
from loadtest.report.html.chart import Chart, Columns, Series, Spec, Table, cell, hover, layered, lines, y_axis
from loadtest.report.html.overtime import X
from loadtest.report.html.palette import color
from loadtest.report.words import milliseconds, percent, plural

__all__ = ["generator_charts", "lateness_chart"]

BARS = 24


def lateness_chart(result: RunResult) -> Chart | None:
    """How many users started how late; None: no user's start is known (an open workload, an engine that was lost)."""
    lags_ms = np.array([change.lag_ms for change in result.changes if change.action == "start"])
    if not lags_ms.size:
        return None
    low, high = min(0.0, float(lags_ms.min())), max(float(lags_ms.max()), 0.1)
    counts, edges = np.histogram(lags_ms, BARS, (low, high))
    columns: Columns = {
        "from": [round(float(edge), 4) for edge in edges[:-1]],
        "to": [round(float(edge), 4) for edge in edges[1:]],
        "users": counts.tolist(),
    }
    spec = layered(
        [
            {
                "data": {"name": "lateness"},
                "mark": {"type": "bar", "color": color(0), "tooltip": True},
                "encoding": {
                    "x": {"field": "from", "type": "quantitative", "title": "ms late", "bin": {"binned": True}},
                    "x2": {"field": "to"},
                    "y": y_axis("users", "users"),
                    "tooltip": [
                        {"field": "from", "type": "quantitative", "title": "from, ms", "format": ".3~f"},
                        {"field": "to", "type": "quantitative", "title": "to, ms", "format": ".3~f"},
                        {"field": "users", "type": "quantitative", "title": "users"},
                    ],
                },
            }
        ],
        200,
    )
    schedule = result.schedule
    text = (
        f"How late each of {plural(len(lags_ms), 'user')} started: {milliseconds(schedule.mean_lag_ms)} ms on average, "
        f"{milliseconds(schedule.max_lag_ms)} ms at most; over {1000 * LATE_S:.0f} ms the schedule counts as "
        f"late. It was {schedule.verdict}."
    )
    rows = [
        [cell(f"{a:.3f}"), cell(f"{b:.3f}"), cell(f"{n:,}")]
        for a, b, n in zip(columns["from"], columns["to"], columns["users"], strict=True)
        if n
    ]
    table = Table(["from ms", "to ms", "users"], rows)
    return Chart("lateness", "How late users started", text, spec, {"lateness": columns}, table)


def generator_charts(result: RunResult, found: Sequence[Bucket], table: Table) -> list[Chart]:
    """Its share of a core and its event loop's worst lateness over time, each with the limit of a marked window."""
    if not found:
        return []
    figures = result.trust.figures
    cpu = (
        f"Processor time of the busiest generator process: at most {percent(max(b.cpu for b in found))} of a core; a "
        f"window over {percent(LIMITS.cpu)} is marked."
    )
    lag_ms = 1000 * figures.get("loop_lag_max_s", max(b.loop_lag_s for b in found))
    lag = (
        f"How late the generator's event loop came round: at most {milliseconds(lag_ms)} ms; a window over "
        f"{1000 * LIMITS.loop_lag_s:.0f} ms is marked."
    )
    return [
        _chart(
            "cpu",
            "Generator's processor time",
            cpu,
            "share of a core",
            "cpu",
            ".1%",
            LIMITS.cpu,
            table.only("from", "to", "generator CPU"),
        ),
        _chart(
            "loop-lag", "Generator's event loop", lag, "ms late", "loop lag", ",.3~f", 1000 * LIMITS.loop_lag_s, table
        ),
    ]


def _chart(name: str, title: str, text: str, y_title: str, column: str, form: str, limit: float, table: Table) -> Chart:
    """`time` is the data of the charts over time."""
    rule: Spec = {
        "data": {"values": [{"limit": limit}]},
        "mark": {"type": "rule", "color": color("bad"), "strokeDash": [8, 4], "strokeWidth": 1.5},
        "encoding": {
            "y": y_axis("limit", y_title),
            "tooltip": [{"field": "limit", "type": "quantitative", "title": "limit"}],
        },
    }
    series = [Series(column, 0, False)]
    layers = [lines("time", X, y_title, series), rule, hover("time", X, {"at": ("at", ""), column: (column, form)})]
    return Chart(name, title, text, layered(layers, 180), {}, table, series, "t", True)
