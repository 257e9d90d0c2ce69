"""Both sides of a comparison in the same chart: against users, over time, their percentiles, run by run. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.core.compare.profile import Interval, SideProfile
from loadtest.core.result.result import RunResult
from loadtest.report.html.buckets import Bucket, buckets
from loadtest.report.html.chart import (
    Cell,
    Chart,
    Columns,
    Series,
    Spec,
    Table,
    bars,
    cell,
    hover,
    layered,
    lines,
    x_axis,
)
from loadtest.report.html.overtime import X, threshold_rule
from loadtest.report.html.spread import percentile_chart
from loadtest.report.words import clock, level_users, milliseconds, number, plural

__all__ = ["SIDES", "latency_chart", "repeats_chart", "time_overlays", "user_overlays"]

SIDES = ("baseline", "candidate")
USERS = x_axis("users", "users", axis={"tickMinStep": 1})
POINTS = 300  # of a line over time
TABLE_ROWS = 30
MOST_RUNS = 5  # of a side, over time

Runs = Sequence[tuple[str, RunResult]]


def user_overlays(profiles: Sequence[SideProfile], limit_ms: float | None) -> list[Chart]:
    """Throughput, and the percentiles, of each side against users, with their intervals."""
    charts = []
    for name, title, unit, metrics in (
        ("throughput-users", "Throughput against users", "successes a second", ("throughput",)),
        ("latency-users", "P95 against users", "ms", ("p95",)),
        ("median-users", "P50 and P99 against users", "ms", ("p50", "p99")),
    ):
        chart = _against_users(name, title, unit, metrics, profiles, limit_ms if name == "latency-users" else None)
        charts += [chart] if chart else []
    return charts


def _against_users(
    name: str, title: str, unit: str, metrics: Sequence[str], profiles: Sequence[SideProfile], limit_ms: float | None
) -> Chart | None:
    series, data, intervals, rows = [], {}, [], []
    is_log = unit == "ms"
    scale: Spec = {"type": "log", "nice": False, "padding": 12} if is_log else {"zero": True}
    form = milliseconds if is_log else number
    tones = iter(range(7))
    for place, side in enumerate(profiles):
        for metric in metrics:
            known = [level for level in side.levels if metric in level.figures]
            if not known:
                continue
            label = SIDES[place] if len(metrics) == 1 else f"{SIDES[place]} {metric.upper()}"
            series.append(Series(label, next(tones)))
            found = [level.figures[metric] for level in known]
            data[f"{name} {label}"] = _columns(label, [level.level.users for level in known], found)
            intervals.append(bars(f"{name} {label}", ("low", "high"), USERS, series[-1].tone, unit, label, scale=scale))
            rows += [
                [cell(label), cell(level_users(level.level)), *_interval_cells(level.figures[metric], form)]
                for level in known
            ]
    if not series:
        return None
    rule = [] if limit_ms is None else [threshold_rule(limit_ms)]
    drawn = [lines(f"{name} {s.name}", USERS, unit, [s], series, log=is_log, points=True) for s in series]
    tips = [
        hover(f"{name} {s.name}", USERS, {"users": ("users", ",d"), s.name: (f"{s.name}, {unit}", ",.4~g"),
              "low": ("95 % from", ",.4~g"), "high": ("to", ",.4~g")})
        for s in series[:1]
    ]  # fmt: skip
    text = (
        f"{title} of both sides; bars are the 95 % interval of each by itself, and of repeats their mean's. "
        "Answers rest on the intervals of differences, not on whether these overlap."
    )
    if limit_ms is not None:
        text += f" The dashed line is the threshold, {limit_ms:g} ms."
    table = Table(["side", "users", unit, "95 % from", "to"], rows)
    return Chart(name, title, text, layered([*rule, *drawn, *intervals, *tips], 300), data, table, series, "users")


def _columns(label: str, users: Sequence[int], found: Sequence[Interval]) -> Columns:
    return {
        "users": users,
        label: [_round(each.value) for each in found],
        "low": [_round(each.low) for each in found],
        "high": [_round(each.high) for each in found],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _interval_cells(found: Interval, form: Any) -> list[Cell]:
    ends = ["?" if end is None else form(end) for end in (found.low, found.high)]
    return [cell(form(found.value)), *map(cell, ends)]


def latency_chart(profiles: Sequence[SideProfile], limit_ms: float | None) -> Chart | None:
    """Percentiles of both sides at the levels that both have; None: one side has no success there."""
    histograms = {SIDES[place]: side.latency for place, side in enumerate(profiles)}
    if not all(histogram.total for histogram in histograms.values()):
        return None
    lead = "All successes at the levels that both sides have."
    return percentile_chart("distribution", "Distribution of latency", lead, histograms, limit_ms)


def time_overlays(sides: Sequence[Runs]) -> tuple[list[Chart], str]:
    """(throughput and P95 of every run over its own time, what is left out)."""
    chosen = [_evenly(side) for side in sides]
    most = max((len(result.windows) for side in chosen for _, result in side), default=0)
    if not most:
        return [], ""
    found = {
        label: buckets(result.windows, POINTS)[1]
        for place, side in enumerate(chosen)
        for label, result in zip(_labels(SIDES[place], side), (result for _, result in side), strict=True)
    }
    series = [Series(label, int(label.startswith(SIDES[1])), False) for label in found]
    note = "Time is that of each run, from its own start."
    if len(found) < sum(map(len, sides)):
        note += f" {MOST_RUNS} runs of a side are drawn, evenly chosen; the table of runs has every one."
    charts = [
        _over_time("throughput", "Throughput over time", "successes a second", series, found, log=False),
        _over_time("latency", "P95 over time", "ms", series, found, log=True),
    ]
    return charts, note


def _evenly(side: Runs) -> Runs:
    if len(side) <= MOST_RUNS:
        return side
    return [side[round(i * (len(side) - 1) / (MOST_RUNS - 1))] for i in range(MOST_RUNS)]


def _labels(side: str, runs: Runs) -> list[str]:
    return [side] if len(runs) == 1 else [f"{side} {number}" for number, _ in enumerate(runs, 1)]


def _over_time(
    name: str, title: str, unit: str, series: Sequence[Series], found: Mapping[str, Sequence[Bucket]], *, log: bool
) -> Chart:
    rows: dict[float, dict[str, float | None]] = {}
    for label, parts in found.items():
        for bucket in parts:
            rows.setdefault(round(bucket.at_s, 2), {})[label] = _round(bucket.latency.p95_ms if log else bucket.per_s)
    at = sorted(rows)
    columns: Columns = {
        "t": at,
        "at": [clock(t) for t in at],
        **{label: [rows[t].get(label) for t in at] for label in found},
    }
    step = -(-len(at) // TABLE_ROWS)
    form = milliseconds if log else number
    shown = [
        [cell(clock(t)), *(cell("-" if rows[t].get(label) is None else form(rows[t][label] or 0.0)) for label in found)]
        for t in at[::step]
    ]
    note = f"One row in {step} is shown." if step > 1 else ""
    tips = {"at": ("at", ""), **{label: (f"{label}, {unit}", ",.4~g") for label in found}}
    layers = [lines(name, X, unit, series, log=log), hover(name, X, tips)]
    text = f"{title}, of {plural(len(found), 'run')}: lines of the same colour are of the same side."
    table = Table(["at", *found], shown, note)
    return Chart(name, title, text, layered(layers, 240), {name: columns}, table, series, "t", True)


def repeats_chart(sides: Sequence[Runs], table: Table) -> Chart | None:
    """P95 of each run in the order in which they ran: what drifts shows; None: there are no repeats."""
    runs = [(place, label, result) for place, side in enumerate(sides) for label, result in _named(place, side)]
    known = [each for each in runs if each[2].totals.latencies.judged.p95_ms is not None]
    if len(runs) < 3 or not known:
        return None
    ordered = sorted(known, key=lambda each: each[2].started_at or 0.0)
    columns: Columns = {
        "order": list(range(1, len(ordered) + 1)),
        "run": [label for _, label, _ in ordered],
        **{
            side: [_round(r.totals.latencies.judged.p95_ms) if place == own else None for own, _, r in ordered]
            for place, side in enumerate(SIDES)
        },
    }
    x = x_axis("order", "runs, in the order in which they began", axis={"tickMinStep": 1})
    series = [Series(side, place) for place, side in enumerate(SIDES)]
    tips = {"run": ("run", ""), **{side: (f"{side} P95, ms", ",.4~g") for side in SIDES}}
    layers = [lines("repeats", x, "ms", series, points=True), hover("repeats", x, tips)]
    text = (
        f"P95 of all successes of each of {plural(len(known), 'run')}. Where one side's points all lie beyond the "
        "other's, it is not the order that makes the difference; a common slope is a drift of what both share."
    )
    return Chart("repeats", "Run by run", text, layered(layers, 220), {"repeats": columns}, table, series, "order")


def _named(place: int, side: Runs) -> Iterator[tuple[str, RunResult]]:
    yield from zip(_labels(SIDES[place], side), (result for _, result in side), strict=True)
