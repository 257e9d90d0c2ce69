"""A job of several tests: what they recommend, and cost per inference against latency. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.core.result.breakeven import break_evens, per_million_usd
from loadtest.core.result.result import RunResult
from loadtest.report.describe import describe
from loadtest.report.html.chart import Cell, Chart, Columns, Spec, Table, cell, layered, x_axis, y_axis
from loadtest.report.html.palette import color
from loadtest.report.recommended import place_of, usd
from loadtest.report.words import milliseconds, number

__all__ = ["break_even_table", "front_chart", "pareto", "recommendations_table", "steps_table"]

HEAD = (
    "recommendation",
    "runs on",
    "instances",
    "max invocations a minute",
    "model latency ms",
    "USD an hour",
    "USD an inference",
    "USD a million",
)


def recommendations_table(
    results: Sequence[RunResult], created_at: float, described: Mapping[str, Any] | None = None
) -> Table:
    """As DescribeInferenceRecommendationsJob would list them; the cheapest is the last (R7).

    described: its answer; None: made of the results.
    """
    rows = [_row(entry) for entry in _entries(results, created_at, described)]
    note = "" if rows else "No test found a rate at which the conditions held, or each was of an existing endpoint."
    return Table(HEAD, rows, note, (0, 1))


def _entries(
    results: Sequence[RunResult], created_at: float, described: Mapping[str, Any] | None
) -> Sequence[Mapping[str, Any]]:
    known = describe(results, created_at) if described is None else described
    found: Sequence[Mapping[str, Any]] = known.get("InferenceRecommendations", ())
    return found


def break_even_table(described: Mapping[str, Any]) -> Table | None:
    """Serverless against instances; None: there are not both, with prices."""
    rows = [
        [
            cell(place_of(each.serverless)),
            cell(place_of(each.instances)),
            cell(each.instances["EndpointConfiguration"].get("InitialInstanceCount", "-")),
            cell(f"{each.per_month:,.0f}" if each.reached else "beyond what they serve"),
        ]
        for each in break_evens(described.get("InferenceRecommendations", ()))
    ]
    head = ("serverless", "instances", "how many", "break-even invocations a month")
    note = "Estimates. Below it serverless costs less, above it the instances: CostPerHour x 730 / CostPerInference."
    return Table(head, rows, note, (0, 1)) if rows else None


def steps_table(steps: Sequence[Mapping[str, Any]]) -> Table:
    """Every test, also those without a result."""
    rows = [
        [
            cell(place_of(step["InferenceBenchmark"])),
            cell(step["Status"]),
            cell(step["InferenceBenchmark"].get("FailureReason", "")),
        ]
        for step in steps
    ]
    return Table(("test", "status", "what is to be said of it"), rows, words=(0, 1, 2))


def _row(entry: Mapping[str, Any]) -> list[Cell]:
    metrics = entry["Metrics"]
    return [
        cell(entry["RecommendationId"]),
        cell(place_of(entry)),
        cell(entry["EndpointConfiguration"].get("InitialInstanceCount", "-")),
        cell(f"{metrics['MaxInvocations']:,}"),
        cell(metrics.get("ModelLatency", "-")),
        cell(usd(metrics.get("CostPerHour"))),
        cell(usd(metrics.get("CostPerInference"))),
        cell(usd(per_million_usd(metrics))),
    ]


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of each point, whether no other is at least as good in both and better in one; less is better."""
    return [not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points) for x, y in points]


def front_chart(
    results: Sequence[RunResult], created_at: float, described: Mapping[str, Any] | None = None
) -> Chart | None:
    """None: fewer than two tests have a cost and a latency."""
    entries = _entries(results, created_at, described)
    known = [
        e for e in entries if e["Metrics"].get("CostPerInference") and e["Metrics"].get("ModelLatency") is not None
    ]
    if len(known) < 2:
        return None
    points = [(e["Metrics"]["CostPerInference"], float(e["Metrics"]["ModelLatency"])) for e in known]
    best = pareto(points)
    columns: Columns = {
        "cost": [cost for cost, _ in points],
        "latency": [latency for _, latency in points],
        "name": [place_of(e) for e in known],
        "front": ["on the front" if each else "dominated" for each in best],
    }
    spec = _spec()
    cheapest = min(range(len(points)), key=lambda i: points[i][0])
    fastest = min(range(len(points)), key=lambda i: points[i][1])
    text = (
        f"Cost of an inference against latency: {sum(best)} of {len(points)} tests are on the front, where nothing is "
        f"both cheaper and faster. Cheapest: {columns['name'][cheapest]}; fastest: {columns['name'][fastest]}, "
        f"{number(points[fastest][1])} ms."
    )
    rows = [
        [cell(n), cell(usd(c)), cell(milliseconds(latency)), cell(f)]
        for n, c, latency, f in zip(columns["name"], columns["cost"], columns["latency"], columns["front"], strict=True)
    ]
    table = Table(["runs on", "USD an inference", "latency ms", "front"], rows, words=(0, 3))
    return Chart("front", "Cost against latency", text, spec, {"front": columns}, table)


def _spec() -> Spec:
    """The tests as points, and the line of those that nothing beats."""
    tips = [
        {"field": "name", "title": "runs on"},
        {"field": "cost", "type": "quantitative", "title": "USD an inference", "format": ".3~g"},
        {"field": "latency", "type": "quantitative", "title": "latency, ms"},
        {"field": "front", "title": " "},
    ]
    x = x_axis("cost", "USD an inference", axis={"format": ".2~g"})
    y = y_axis("latency", "model latency, ms")
    hue = {
        "field": "front",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["on the front", "dominated"], "range": [color(2), color(6)]},
    }
    shape = {
        "field": "front",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["on the front", "dominated"], "range": ["circle", "cross"]},
    }
    return layered(
        [
            {
                "data": {"name": "front"},
                "transform": [{"filter": "datum.front == 'on the front'"}],
                "mark": {"type": "line", "interpolate": "step-after", "color": color(2), "strokeDash": [4, 3]},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"name": "front"},
                "mark": {"type": "point", "filled": True, "size": 110},
                "encoding": {"x": x, "y": y, "color": hue, "shape": shape, "tooltip": tips},
            },
            {
                "data": {"name": "front"},
                "mark": {"type": "text", "dx": 10, "align": "left", "color": color("ink")},
                "encoding": {"x": x, "y": y, "text": {"field": "name"}},
            },
        ],
        300,
    )
