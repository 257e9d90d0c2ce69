"""Each chart of a page as a picture, from the same specification and without a browser."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.core.plain import plain
from loadtest.report.html.chart import Chart, Columns
from loadtest.report.html.library import NoLibrary, converter
from loadtest.report.html.page import Page
from loadtest.report.html.palette import PRINT, printed

__all__ = ["write_pictures"]

WIDTH, SCALE = 760, 2.0
FONT = "DejaVu Sans, Verdana, Arial, sans-serif"


def write_pictures(folder: str | os.PathLike[str], page: Page, prefix: str = "", *, scale: float = SCALE) -> list[Path]:
    """PNG files `prefix`NAME.png in `folder`, which is made if need be; of a page of several tests `tI-` comes before.
    scale: pixels of a picture for one of the drawing, which is 760 wide.

    Raises NoLibrary, also for a chart that cannot be drawn, and OSError.
    """
    vl_convert = converter()
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    groups = [(f"{test.key}-" if len(page.sections) > 1 else "", test.charts) for test in page.sections]
    if page.job is not None:
        groups.append(("", list(page.job.charts)))
    written = []
    for key, charts in groups:
        data: dict[str, Columns] = {}
        for chart in charts:
            data |= chart.data
        for chart in charts:
            path = target / f"{prefix}{key}{chart.name}.png"
            try:
                picture = vl_convert.vegalite_to_png(_spec(chart, data), scale=scale, show_warnings=False)
            except ValueError as problem:
                raise NoLibrary(f"{chart.name} could not be drawn: {problem}") from problem
            path.write_bytes(picture)
            written.append(path)
    return written


def _spec(chart: Chart, data: Mapping[str, Columns]) -> dict[str, Any]:
    """The chart's specification with its values, on paper, with a title and Vega's own legend."""
    spec: dict[str, Any] = printed(chart.spec)
    label = {"labelColor": PRINT["axis"], "titleColor": PRINT["axis"], "labelFontSize": 12, "titleFontSize": 12}
    spec |= {
        "datasets": {name: _rows(columns) for name, columns in data.items()},
        "title": {"text": chart.title, "anchor": "start", "color": PRINT["ink"], "fontSize": 16, "offset": 14},
        "width": WIDTH,
        "padding": 16,
        "background": PRINT["paper"],
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {**label, "gridColor": PRINT["grid"], "domainColor": PRINT["grid"], "tickColor": PRINT["grid"]},
            "axisX": {"grid": False},
            "legend": {**label, "orient": "bottom", "symbolType": "stroke", "symbolStrokeWidth": 3, "symbolSize": 300},
        },
    }
    return spec


def _rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, plain(list(row)), strict=True)) for row in zip(*columns.values(), strict=True)]
