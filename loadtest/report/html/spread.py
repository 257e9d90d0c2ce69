"""The charts of how latencies are distributed: percentiles on an axis of nines. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.result.result import RunResult
from loadtest.report.html.chart import Chart, Columns, Series, Table, cell, hover, layered, lines, x_axis
from loadtest.report.html.overtime import threshold_rule
from loadtest.report.words import level_name, milliseconds

__all__ = ["percentile_chart", "spread_charts"]

STEP = 0.04  # of a nine
MOST_LEVELS = 5
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
LABEL = (
    "datum.value == 0 ? '0 %' : datum.value == 1 ? '90 %' : format(100 - 100 / pow(10, datum.value), '.10~f') + ' %'"
)


def spread_charts(result: RunResult) -> list[Chart]:
    """The whole run's and the levels'; of an open workload response beside service; of streamed answers the parts."""
    whole = result.latency_histogram()
    if not whole.total:
        return []
    limit = result.plan.stop.latency
    limit_ms = None if limit is None else limit.limit_ms
    charts = []
    if result.plan.arrivals is None:
        charts.append(_levels(result, whole, limit_ms))
    else:
        response = merged(window.latencies.response.encoded for window in result.windows)
        pair = {"response (from the time it was due)": response, "service (from the time it was sent)": whole}
        lead = "Requests of an open workload do not wait for each other: what a late one cost is its response latency."
        charts.append(percentile_chart("distribution", "Response beside service latency", lead, pair, limit_ms))
    streamed = {
        "time to first part": merged(window.latencies.ttfb.encoded for window in result.windows),
        "between parts": merged(window.latencies.inter_chunk.encoded for window in result.windows),
    }
    if parts := {name: histogram for name, histogram in streamed.items() if histogram.total}:
        lead = "Streamed answers: when the first part came, and how far the parts were apart."
        charts.append(percentile_chart("streaming", "Streamed answers", lead, parts))
    return charts


def _levels(result: RunResult, whole: Histogram, limit_ms: float | None) -> Chart:
    levels = [level for level in result.levels if level.latencies.client.encoded]
    chosen = levels
    if len(levels) > MOST_LEVELS:
        places = sorted({round(i * (len(levels) - 1) / (MOST_LEVELS - 1)) for i in range(MOST_LEVELS)})
        chosen = [levels[i] for i in places]
    each = {level_name(level.plan): Histogram.decode(level.latencies.client.encoded) for level in chosen}
    lead = (
        "All successes of the run, and of each level"
        if chosen is levels
        else (f"All successes of the run, and of {len(chosen)} of {len(levels)} levels, evenly chosen")
    )
    return percentile_chart("distribution", "Distribution of latency", f"{lead}.", {"all": whole, **each}, limit_ms)


def percentile_chart(
    name: str, title: str, lead: str, histograms: Mapping[str, Histogram], limit_ms: float | None = None
) -> Chart:
    """Percentiles of each histogram, by its name; at least one has values. limit_ms: of a threshold to draw."""
    series = [Series("all", 6, False) if each == "all" else Series(each, i) for i, each in enumerate(histograms)]
    longest = max(math.log10(max(histogram.total, 2)) for histogram in histograms.values())
    nines = np.arange(0, longest + STEP, STEP).tolist()
    columns: Columns = {
        "nines": [round(x, 3) for x in nines],
        "percentile": [f"P{100 * _share(x):.{max(1, math.ceil(x))}f}" for x in nines],
        **{each: list(_curve(histogram, nines)) for each, histogram in histograms.items()},
    }
    axis = {"labelExpr": LABEL, "values": list(range(math.ceil(longest) + 1)), "grid": True}
    x = x_axis("nines", "percentile, each step a nine more", axis=axis)
    tips = {"percentile": ("", ""), **{each: (f"{each}, ms", ",.3~f") for each in histograms}}
    layers = [lines(name, x, "ms", series, log=True), hover(name, x, tips)]
    if limit_ms is not None:
        layers.append(threshold_rule(limit_ms))
    text = f"{lead} {' '.join(_words(each, histogram) for each, histogram in list(histograms.items())[:2])}"
    return Chart(name, title, text, layered(layers, 320), {name: columns}, _table(histograms), series, "nines")


def _share(nines: float) -> float:
    return 1 - 10**-nines


def _curve(histogram: Histogram, nines: Sequence[float]) -> Iterator[float | None]:
    """The percentiles in ms; None beyond what so many values can show."""
    if not histogram.total:
        yield from (None for _ in nines)
        return
    most = math.log10(histogram.total)
    found = histogram.percentiles_us([_share(x) for x in nines])
    for x, us in zip(nines, found, strict=True):
        yield None if us is None or x > most + STEP else us / 1000


def _words(name: str, histogram: Histogram) -> str:
    if not histogram.total:
        return ""
    p50, p99, worst = histogram.percentiles_us([0.5, 0.99, 1.0])
    figures = ", ".join(
        f"{label} {milliseconds((us or 0) / 1000)}" for label, us in (("P50", p50), ("P99", p99), ("max", worst))
    )
    return f"{name[0].upper()}{name[1:]}: {figures} ms of {histogram.total:,}."


def _table(histograms: Mapping[str, Histogram]) -> Table:
    head = ["", "n", *(f"P{100 * share:g}" for share in SHARES), "max"]
    rows = []
    for name, histogram in histograms.items():
        # A percentile beyond the sample is its maximum, and would look like a measurement of its own.
        known = [
            us if histogram.total * (1 - share) >= 1 else None
            for share, us in zip(SHARES, histogram.percentiles_us(SHARES), strict=True)
        ]
        values = [*known, histogram.max_us]
        rows.append(
            [
                cell(name),
                cell(f"{histogram.total:,}"),
                *(cell(milliseconds(None if us is None else us / 1000)) for us in values),
            ]
        )
    return Table(head, rows, "Milliseconds; a percentile that so few values cannot show is left out.")
