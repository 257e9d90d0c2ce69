"""The heat map of latencies over time, from the windows' histograms. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.report.html.buckets import Bucket, histogram_of
from loadtest.report.html.chart import Chart, Columns, Spec, Table, layered, y_axis
from loadtest.report.words import milliseconds

__all__ = ["HEAT_COLUMNS", "HeatCell", "heat_cells", "heat_chart"]

HEAT_COLUMNS, HEAT_ROWS = 120, 36

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """How many successes had a latency of low_ms .. high_ms in a piece of time; share: of that piece's."""

    start_s: float
    end_s: float
    low_ms: float
    high_ms: float
    n: int
    share: float


def heat_cells(found: Sequence[Bucket]) -> list[HeatCell]:
    """The latencies over time, of at most HEAT_COLUMNS buckets; rows are even steps of the logarithm. [] without a
    success."""
    columns = []
    for each in found:
        values_us, counts = histogram_of([each]).middles()
        if values_us.size:
            columns.append((each.start_s, each.end_s, values_us / 1000, counts))
    if not columns:
        return []
    low_ms = min(float(values[0]) for _, _, values, _ in columns)
    high_ms = max(float(values[-1]) for _, _, values, _ in columns)
    # A run whose latencies are all alike still has rows of a visible height.
    high_ms = max(high_ms, 1.2 * low_ms) * 1.001
    edges = np.geomspace(low_ms * 0.999, high_ms, HEAT_ROWS + 1)
    return [found for column in columns for found in _column(*column, edges)]


def _column(start_s: float, end_s: float, values_ms: Floats, counts: Floats, edges: Floats) -> Iterator[HeatCell]:
    rows, _ = np.histogram(values_ms, edges, weights=counts)
    total = float(rows.sum())
    for i in np.flatnonzero(rows):
        yield HeatCell(start_s, end_s, float(edges[i]), float(edges[i + 1]), int(rows[i]), float(rows[i]) / total)


def heat_chart(
    cells: Sequence[HeatCell], data: Mapping[str, Columns], table: Table, x: Spec, marks: Sequence[Spec]
) -> Chart:
    """x, marks: the time's axis and the events on it, as the other charts over time have them."""
    columns: Columns = {
        "t": [round(c.start_s, 2) for c in cells],
        "t2": [round(c.end_s, 2) for c in cells],
        "low": [round(c.low_ms, 4) for c in cells],
        "high": [round(c.high_ms, 4) for c in cells],
        "n": [c.n for c in cells],
        "share": [round(c.share, 4) for c in cells],
    }
    low, high = min(c.low_ms for c in cells), max(c.high_ms for c in cells)
    text = (
        f"How latencies spread over time, from the windows' histograms: {milliseconds(low)} to "
        f"{milliseconds(high)} ms; the lighter a cell, the more of that time's successes are in it."
    )
    tip = [
        {"field": "t", "type": "quantitative", "title": "from, s"},
        {"field": "low", "type": "quantitative", "title": "from, ms", "format": ",.3~f"},
        {"field": "high", "type": "quantitative", "title": "to, ms", "format": ",.3~f"},
        {"field": "n", "type": "quantitative", "title": "successes", "format": ","},
        {"field": "share", "type": "quantitative", "title": "share", "format": ".1%"},
    ]
    layer = {
        "data": {"name": "heat"},
        "params": [{"name": "brush", "select": {"type": "interval", "encodings": ["x"]}}],
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": x,
            "x2": {"field": "t2"},
            "y": y_axis("low", "ms", log=True),
            "y2": {"field": "high"},
            "color": {
                "field": "share",
                "type": "quantitative",
                "title": "share of successes",
                "scale": {"scheme": "viridis", "type": "sqrt", "domain": [0, max(c.share for c in cells)]},
                "legend": {"format": ".0%", "orient": "top", "direction": "horizontal", "gradientLength": 180},
            },
            "tooltip": tip,
        },
    }
    spec = layered([layer, *marks], 260)
    return Chart("heat", "Heat map of latency", text, spec, {**data, "heat": columns}, table, (), "t", True)
