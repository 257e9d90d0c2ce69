"""One chart: a Vega-Lite specification, its data, its words and its table. No I/O.

A specification names its data; the values lie beside it, column by column, so that charts share them and a page has
them once. Colours are names of the palette, resolved where a chart is drawn: on a page by CSS, which knows light, dark
and paper, in a picture by `palette.PRINT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.report.html.palette import DASHES, color

__all__ = [
    "Cell",
    "Chart",
    "Columns",
    "Series",
    "Spec",
    "Table",
    "bars",
    "cell",
    "hover",
    "layered",
    "lines",
    "x_axis",
    "y_axis",
]

Columns = Mapping[str, Sequence[Any]]
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. text: as a person reads it. figure: path of the value in summary.json, "" if it is not there;
    value: itself.
    """

    text: str
    figure: str = ""
    value: Any = None


def cell(text: object) -> Cell:
    """A cell that is no figure of the summary."""
    return Cell(str(text))


@dataclass(frozen=True, slots=True)
class Table:
    """The figures below a chart. rows: of as many cells as `head` has columns. note: what it leaves out. words: columns
    that are no figures.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    words: Sequence[int] = (0,)

    def only(self, *names: str, most: int = 60) -> Table:
        """Some columns, those of `names` that it has, of at most about `most` rows."""
        places = [i for i, name in enumerate(self.head) if name in names]
        step = -(-len(self.rows) // most) or 1
        rows = [[row[i] for i in places] for row in self.rows[::step]]
        note = f"One row in {step} is shown." if step > 1 else self.note
        return Table([self.head[i] for i in places], rows, note)


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart that can be switched off. tone: index in the palette.

    dashed: its dash tells it apart without colour; not for a line so restless that dashes would be noise.
    """

    name: str
    tone: int
    dashed: bool = True

    @property
    def dash(self) -> Sequence[int]:
        return DASHES[self.tone % len(DASHES)] if self.dashed else ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with its words and its table.

    name: unique on its page. text: what the picture shows, in words and figures. x: the column of its x axis, which
    can be zoomed. timed: that is the run's time, which all such charts of a page zoom together.
    """

    name: str
    title: str
    text: str
    spec: Spec
    data: Mapping[str, Columns]
    table: Table
    series: Sequence[Series] = ()
    x: str = ""
    timed: bool = False


def layered(layers: Sequence[Spec], height: int = 300) -> Spec:
    """A specification of layers over each other; the width is its container's."""
    return {
        "width": "container",
        "height": height,
        "params": [{"name": "hidden", "value": []}],
        "layer": [layer for layer in layers if layer],
        "resolve": {"legend": {"color": "shared", "strokeDash": "shared"}},
    }


def x_axis(name: str, title: str, **more: Any) -> Spec:
    return {
        "field": name,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": False, "padding": 8},
        **more,
    }


def y_axis(name: str, title: str, *, zero: bool = True, log: bool = False, **more: Any) -> Spec:
    scale = {"type": "log", "nice": False, "padding": 12} if log else {"zero": zero}
    return {"field": name, "type": "quantitative", "title": title, "scale": scale, **more}


def lines(
    data: str,
    x: Spec,
    y_title: str,
    series: Sequence[Series],
    among: Sequence[Series] = (),
    *,
    log: bool = False,
    points: bool = False,
    broken: bool = False,
) -> Spec:
    """A line for each of `series`, which are columns of `data`. among: all of the chart, if it has other lines.

    broken: where a column has no value, its line is; else it goes on to the next value.
    """
    names, every = [each.name for each in series], among or series
    mark: Spec = {"type": "line", "strokeWidth": 2, "clip": True}
    if points:
        mark["point"] = {"filled": True, "size": 45}
    domain = [each.name for each in every]
    scale = {"domain": domain, "range": [color(each.tone) for each in every]}
    dashes = {"domain": domain, "range": [list(each.dash) for each in every]}
    return {
        "data": {"name": data},
        "transform": [
            {"fold": names, "as": ["series", "value"]},
            {"filter": "indexof(hidden, datum.series) < 0" + ("" if broken else " && isValid(datum.value)")},
        ],
        "mark": mark,
        "encoding": {
            "x": x,
            "y": y_axis("value", y_title, log=log),
            "color": {"field": "series", "type": "nominal", "title": None, "scale": scale, "sort": None},
            "strokeDash": {"field": "series", "type": "nominal", "title": None, "scale": dashes, "sort": None},
            "detail": {"field": "series"},
        },
    }


def hover(data: str, x: Spec, shown: Mapping[str, tuple[str, str]]) -> Spec:
    """A rule under the pointer at the nearest row, with a row's figures beside it; and the brush that zooms.

    shown: column -> (its name for people, its format).
    """
    tooltip = [
        {
            "field": column,
            "type": "quantitative" if form else "nominal",
            "title": title,
            **({"format": form} if form else {}),
        }
        for column, (title, form) in shown.items()
    ]
    return {
        "data": {"name": data},
        "params": [
            {
                "name": "near",
                "select": {
                    "type": "point",
                    "fields": [x["field"]],
                    "nearest": True,
                    "on": "pointerover",
                    "clear": "pointerout",
                },
            },
            {"name": "brush", "select": {"type": "interval", "encodings": ["x"]}},
        ],
        "mark": {"type": "rule", "color": color("axis"), "strokeWidth": 1.5},
        "encoding": {
            "x": x,
            "opacity": {"condition": {"param": "near", "empty": False, "value": 0.8}, "value": 0},
            "tooltip": tooltip,
        },
    }


def bars(data: str, ends: tuple[str, str], x: Spec, tone: int, title: str, hidden_by: str = "", **y: Any) -> Spec:
    """An interval at each x, with ends. ends: its two columns. hidden_by: a label that can be switched off. y: more of
    its axis.
    """
    low, high = ends
    there = f"isValid(datum['{low}']) && isValid(datum['{high}'])"
    shown = f"indexof(hidden, '{hidden_by}') < 0 && " if hidden_by else ""
    ticks = {"width": 9, "thickness": 1.5}
    return {
        "data": {"name": data},
        "transform": [{"filter": shown + there}],
        "mark": {"type": "errorbar", "ticks": ticks, "color": color(tone), "thickness": 1.5, "clip": True},
        "encoding": {"x": x, "y": {"field": low, "type": "quantitative", "title": title, **y}, "y2": {"field": high}},
    }
