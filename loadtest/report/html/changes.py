"""The charts of a comparison's differences, each with its interval: of the whole run, and level by level. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.compare.comparison import POINTS, Comparison, Row
from loadtest.report.comparison import answer_words, change_words, row_cells, row_name
from loadtest.report.html.chart import Cell, Chart, Columns, Series, Spec, Table, cell, layered
from loadtest.report.html.palette import color
from loadtest.report.words import plural

__all__ = ["changes_table", "level_changes", "whole_changes"]

HEAD = ("figure", "baseline", "candidate", "change", "interval", "answer", "why")
TONES = {"better": "good", "worse": "bad", "same": "axis", "undecided": "warn"}
SHAPES = {"better": "triangle-up", "worse": "triangle-down", "same": "circle", "undecided": "diamond"}
OF_LEVELS = ("throughput", "p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class _Drawn:
    rows: Sequence[Row]
    columns: Columns


def changes_table(comparison: Comparison, place: int) -> Table:
    """Every row of the comparison that is the `place`-th of comparison.json."""
    rows = []
    for number, row in enumerate(comparison.rows):
        at = f"comparisons.{place}.rows.{number}"
        a, b, change, interval = row_cells(row)
        rows.append(
            [
                cell(row_name(row)),
                Cell(a, f"{at}.a", row.a),
                Cell(b, f"{at}.b", row.b),
                Cell(change, f"{at}.difference", row.difference),
                Cell(interval, f"{at}.low", row.low),
                Cell(answer_words(row, comparison), f"{at}.answer", row.answer),
                cell(row.why),
            ]
        )
    note = "pt: percentage points, of shares. A ? is an end that an interval does not have."
    return Table(HEAD, rows, note, (0, 5, 6))


def whole_changes(comparison: Comparison, table: Table) -> Chart | None:
    """The whole run's ratios, a line each; None: none was measured on both sides."""
    drawn = _drawn(comparison, [row for row in comparison.rows if row.level is None])
    if not drawn.rows:
        return None
    y = {"field": "figure", "type": "nominal", "title": None, "sort": [row_name(row) for row in drawn.rows]}
    x = {"type": "quantitative", "title": "change of the candidate, %", "scale": {"zero": True}}
    layers = [
        _margin(comparison, "x"),
        _zero("x"),
        {
            "data": {"name": "whole"},
            "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
            "mark": {"type": "errorbar", "ticks": {"height": 10, "thickness": 2}, "thickness": 2, "clip": True},
            "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}, "color": _hue()},
        },
        {
            "data": {"name": "whole"},
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "clip": True},
            "encoding": {"y": y, "x": {"field": "change", **x}, "color": _hue(), "shape": _shape(), "tooltip": _tips()},
        },
    ]
    spec = {**layered(layers, 40 * len(drawn.rows) + 20)}
    text = f"{_margin_words(comparison)} {_each(drawn.rows)} {_unbounded(drawn.rows)}"
    return Chart("changes", "Change of the whole run", text.strip(), spec, {"whole": drawn.columns}, table)


def level_changes(comparison: Comparison, table: Table) -> Chart | None:
    """The change at each level, of throughput and percentiles; None: there are no levels to compare."""
    rows = [row for row in comparison.rows if row.level is not None and row.metric in OF_LEVELS]
    drawn = _drawn(comparison, rows)
    if not drawn.rows:
        return None
    names = [metric for metric in OF_LEVELS if any(row.metric == metric for row in drawn.rows)]
    series = [Series(name, place) for place, name in enumerate(names)]
    x = {"field": "users", "type": "ordinal", "title": "users", "sort": None, "axis": {"labelAngle": 0}}
    offset = {"field": "series", "sort": names}
    y = {"type": "quantitative", "title": "change of the candidate, %", "scale": {"zero": True}}
    hue = {"domain": names, "range": [color(each.tone) for each in series]}
    shared = {
        "x": x,
        "xOffset": offset,
        "color": {"field": "series", "type": "nominal", "title": None, "scale": hue, "sort": None},
    }
    shown = {"filter": "indexof(hidden, datum.series) < 0"}
    layers = [
        _margin(comparison, "y"),
        _zero("y"),
        {
            "data": {"name": "changes"},
            "transform": [shown, {"filter": "isValid(datum.low) && isValid(datum.high)"}],
            "mark": {"type": "errorbar", "ticks": {"width": 7, "thickness": 1.5}, "thickness": 1.5, "clip": True},
            "encoding": {**shared, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "data": {"name": "changes"},
            "transform": [shown],
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "clip": True},
            "encoding": {**shared, "y": {"field": "change", **y}, "shape": _shape(), "tooltip": _tips()},
        },
    ]
    told = [row for row in drawn.rows if row.answer in ("better", "worse")]
    count = f"{plural(len(drawn.rows), 'figure')} of levels, {len(told)} of them better or worse."
    text = f"{count} Triangles point up where it is better and down where it is worse. {_unbounded(drawn.rows)}"
    return Chart(
        "level-changes", "Change at each level", text.strip(), layered(layers, 300), {"changes": drawn.columns},
        table, series,
    )  # fmt: skip


def _drawn(comparison: Comparison, rows: Sequence[Row]) -> _Drawn:
    """Those that are ratios and have one."""
    kept = [row for row in rows if row.unit != "share" and row.difference is not None]
    per_cent = [
        [None if each is None else round(100 * each, 4) for each in (r.difference, r.low, r.high)] for r in kept
    ]
    columns: Columns = {
        "figure": [row_name(row) for row in kept],
        "series": [row.metric for row in kept],
        "users": [row.users for row in kept],
        "change": [change for change, _, _ in per_cent],
        "low": [low for _, low, _ in per_cent],
        "high": [high for _, _, high in per_cent],
        "interval": [row_cells(row)[3] for row in kept],
        "answer": [row.answer for row in kept],
        "words": [answer_words(row, comparison) for row in kept],
    }
    return _Drawn(kept, columns)


def _margin(comparison: Comparison, axis: str) -> Spec:
    """What does not matter, as a band."""
    most = 100 * comparison.margin
    return {
        "data": {"values": [{"from": -most, "to": most}]},
        "mark": {"type": "rect", "color": color("grid"), "opacity": 0.8},
        "encoding": {axis: {"field": "from", "type": "quantitative"}, f"{axis}2": {"field": "to"}},
    }


def _zero(axis: str) -> Spec:
    return {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": color("axis"), "strokeWidth": 1.5},
        "encoding": {axis: {"field": "zero", "type": "quantitative"}},
    }


def _hue() -> Spec:
    scale = {"domain": list(TONES), "range": [color(tone) for tone in TONES.values()]}
    return {"field": "answer", "type": "nominal", "scale": scale, "legend": None}


def _shape() -> Spec:
    scale = {"domain": list(SHAPES), "range": list(SHAPES.values())}
    return {"field": "answer", "type": "nominal", "scale": scale, "legend": None}


def _tips() -> list[Spec]:
    return [
        {"field": "figure", "type": "nominal", "title": " "},
        {"field": "change", "type": "quantitative", "title": "change, %", "format": "+.2f"},
        {"field": "interval", "type": "nominal", "title": "interval"},
        {"field": "words", "type": "nominal", "title": "answer"},
    ]


def _margin_words(comparison: Comparison) -> str:
    points = 100 * comparison.margin * POINTS
    return f"The band is what does not matter: {100 * comparison.margin:g} %, {points:g} points of a share."


def _each(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row_name(row)} {change_words(row, row.difference)} % ({row.answer})" for row in rows) + "."


def _unbounded(rows: Sequence[Row]) -> str:
    n = sum(row.low is None or row.high is None for row in rows)
    return f"{plural(n, 'point has', 'points have')} no interval, for want of data." if n else ""
