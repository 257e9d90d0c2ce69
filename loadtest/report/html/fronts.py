"""A job of several tests: what they recommend, and cost per inference against latency. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.core.result.result import RunResult
from loadtest.report.describe import describe
from loadtest.report.html.chart import Cell, Chart, Columns, Spec, Table, cell, layered, x_axis, y_axis
from loadtest.report.html.palette import color
from loadtest.report.words import milliseconds, number

__all__ = ["front_chart", "pareto", "recommendations_table"]

HEAD = (
    "recommendation",
    "runs on",
    "instances",
    "max invocations a minute",
    "model latency ms",
    "USD an hour",
    "USD an inference",
)


def recommendations_table(results: Sequence[RunResult], created_at: float) -> Table:
    """As DescribeInferenceRecommendationsJob would list them; the cheapest is the last (R7)."""
    rows = [_row(entry) for entry in describe(results, created_at).get("InferenceRecommendations", ())]
    note = "" if rows else "No test found a rate at which the conditions held, or each was of an existing endpoint."
    return Table(HEAD, rows, note, (0, 1))


def _row(entry: Mapping[str, Any]) -> list[Cell]:
    metrics, where = entry["Metrics"], entry["EndpointConfiguration"]
    serverless = where.get("ServerlessConfig")
    place = f"serverless, {serverless['MemorySizeInMB']} MB" if serverless else where.get("InstanceType", "-")
    environment = entry["ModelConfiguration"]["EnvironmentParameters"]
    set_to = ", ".join(f"{each['Key']}={each['Value']}" for each in environment)
    return [
        cell(entry["RecommendationId"]),
        cell(f"{place} ({set_to})" if set_to else place),
        cell(where.get("InitialInstanceCount", "-")),
        cell(f"{metrics['MaxInvocations']:,}"),
        cell(metrics.get("ModelLatency", "-")),
        cell(_usd(metrics.get("CostPerHour"))),
        cell(_usd(metrics.get("CostPerInference"))),
    ]


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of each point, whether no other is at least as good in both and better in one; less is better."""
    return [not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points) for x, y in points]


def front_chart(results: Sequence[RunResult], created_at: float) -> Chart | None:
    """None: fewer than two tests have a cost and a latency."""
    entries = describe(results, created_at).get("InferenceRecommendations", ())
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
        "name": [str(e["EndpointConfiguration"].get("InstanceType") or e["RecommendationId"]) for e in known],
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
        [cell(n), cell(_usd(c)), cell(milliseconds(latency)), cell(f)]
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
