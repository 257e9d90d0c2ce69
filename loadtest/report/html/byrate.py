"""The charts of a search by rate against the rates that it held: throughput, response latency. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.core.measure.levels import LevelResult
from loadtest.core.result.result import RunResult
from loadtest.report.html.capacity_band import capacity_band
from loadtest.report.html.chart import Chart, Columns, Series, Table, hover, layered, lines, x_axis
from loadtest.report.html.overtime import threshold_rule
from loadtest.report.words import level_name, number, plural

__all__ = ["rate_charts"]

X = x_axis("rate", "requests due a second")


def rate_charts(result: RunResult, levels: Sequence[LevelResult], table: Table) -> list[Chart]:
    """levels: those that something was measured in; a rate that was held more than once has a point for each stay."""
    drawn = sorted(levels, key=lambda level: level.plan.rate_per_s or 0.0)
    data, band = {"levels": _columns(drawn)}, capacity_band(result)
    top = max((level.throughput_per_s or 0.0 for level in drawn), default=0.0)
    served = [Series("throughput", 0), Series("due", 6)]
    tips = {"level": ("", ""), "throughput": ("successes a second", ",.1f"), "due": ("due a second", ",.1f")}
    layers = [*band, lines("levels", X, "a second", served, points=True), hover("levels", X, tips)]
    text = f"Successes against requests due, of {plural(len(drawn), 'stay')} at a rate: at most {number(top)}/s."
    found = [Chart("scaling", "Throughput against rate", text, layered(layers, 330), data, table, served, "rate")]
    series = [Series("P50", 0), Series("P95", 1), Series("P99", 3)]
    limit = result.plan.stop.latency
    rule = [] if limit is None else [threshold_rule(limit.limit_ms)]
    tips = {"level": ("", ""), **{each.name: (f"{each.name}, ms", ",.3~f") for each in series}}
    layers = [*band, lines("levels", X, "ms", series, log=True, points=True), *rule, hover("levels", X, tips)]
    text = "Response latency, from the time a request was due, at each rate."
    text += "" if limit is None else f" The limit, the dashed line, is {limit.name} at most {limit.limit_ms} ms."
    found.append(Chart("latency-rate", "Latency against rate", text, layered(layers, 330), data, table, series, "rate"))
    return found


def _columns(levels: Sequence[LevelResult]) -> Columns:
    rates = [level.plan.rate_per_s for level in levels]
    latencies = [level.latencies.response for level in levels]
    return {
        "rate": rates,
        "due": rates,
        "level": [level_name(level.plan) for level in levels],
        "throughput": [level.throughput_per_s for level in levels],
        "P50": [each.p50_ms for each in latencies],
        "P95": [each.p95_ms for each in latencies],
        "P99": [each.p99_ms for each in latencies],
    }
