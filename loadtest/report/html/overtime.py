"""The charts of a run over its time: users, throughput, errors, percentiles, the heat map. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from loadtest.core.measure.levels import plan_levels
from loadtest.core.result.result import RunResult
from loadtest.report.html.buckets import Bucket, coarser
from loadtest.report.html.chart import (
    Cell,
    Chart,
    Columns,
    Series,
    Spec,
    Table,
    cell,
    hover,
    layered,
    lines,
    x_axis,
    y_axis,
)
from loadtest.report.html.happenings import Happening
from loadtest.report.html.heat import heat_cells, heat_chart
from loadtest.report.html.palette import color
from loadtest.report.words import clock, duration, milliseconds, number, percent, plural
from loadtest.report.workload import rate_words

__all__ = ["events_table", "time_charts", "time_table"]

TABLE_ROWS = 30
X = x_axis("t", "seconds since the start")
TONES = {"stop": "bad", "withheld": "warn", "lost": "bad", "verdict": "axis"}


def time_charts(
    result: RunResult, found: Sequence[Bucket], columns: Sequence[Bucket], table: Table, events: Sequence[Happening]
) -> tuple[list[Chart], str]:
    """(the charts, what was joined to draw them); [] for a run without windows.

    found: the run in `buckets`; columns: those of its heat map.
    """
    if not result.windows:
        return [], ""
    each = -(-len(result.windows) // len(found))
    joined = (
        f"{plural(len(result.windows), 'window')} drawn as {plural(len(found), 'point')}: each joins {each} windows, "
        f"{duration(each * result.plan.options.window_s)}, with exact sums and percentiles; windows.jsonl has every one"
        if each > 1
        else f"every window is drawn ({plural(len(found), 'window')} of {duration(result.plan.options.window_s)})"
    )
    kinds = [kind for kind, _ in Counter({k: n for b in found for k, n in b.counts.errors.items() if n}).most_common()]
    kinds = list(dict.fromkeys([k for k in result.totals.counts.errors if k in kinds] + kinds))
    data = {"time": _time(result, found, kinds), "events": _events(events)}
    when = ("from", "to")
    charts = [
        _users(result, found, data, table.only(*when, "users", "in flight")),
        _throughput(found, data, table.only(*when, "ok/s")),
        *([_due(result, data, table.only(*when, "ok/s"))] if result.plan.moves and result.plan.arrivals else []),
        *([_errors(result, kinds, data, table.only(*when, "errors"))] if kinds else []),
        _latency(result, found, data, table.only(*when, "P50 ms", "P95 ms", "P99 ms")),
    ]
    if cells := heat_cells(columns):
        charts.append(heat_chart(cells, data, table.only(*when, "P50 ms", "P95 ms", "P99 ms"), X, event_marks()))
    return charts, joined


def _time(result: RunResult, found: Sequence[Bucket], kinds: Sequence[str]) -> Columns:
    columns: dict[str, Sequence[object]] = {
        "t": [round(b.at_s, 2) for b in found],
        "at": [clock(b.at_s) for b in found],
        "in flight": [round(b.in_flight, 3) for b in found],
        "throughput": [round(b.per_s, 3) for b in found],
        "P50": [_ms(b.latency.p50_ms) for b in found],
        "P95": [_ms(b.latency.p95_ms) for b in found],
        "P99": [_ms(b.latency.p99_ms) for b in found],
        "cpu": [round(b.cpu, 4) for b in found],
        "loop lag": [round(1000 * b.loop_lag_s, 3) for b in found],
    }
    if result.plan.arrivals is None:
        columns |= {
            "planned": [round(b.planned, 3) for b in found],
            "running": [round(b.active, 3) for b in found],
        }
    else:
        columns |= {"service P95": [_ms(b.service.p95_ms) for b in found]}
        columns |= {"due": [round(result.plan.arrivals.rate_at(b.at_s), 3) for b in found]}
    for kind in kinds:
        columns[kind] = [round(b.counts.errors.get(kind, 0) / b.length_s, 4) if b.length_s > 0 else 0 for b in found]
    return columns


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _events(events: Sequence[Happening]) -> Columns:
    return {
        "t": [round(each.at_s, 2) for each in events],
        "kind": [each.kind for each in events],
        "sentence": [each.sentence for each in events],
    }


def event_marks() -> list[Spec]:
    """Every event as a triangle with its sentence; what ended or limited the run also as a line through the chart."""
    tones = {"domain": list(TONES), "range": [color(tone) for tone in TONES.values()]}
    hue = {"field": "kind", "type": "nominal", "scale": tones, "legend": None}
    tip = [
        {"field": "sentence", "type": "nominal", "title": "event"},
        {"field": "t", "type": "quantitative", "title": "at s"},
    ]
    return [
        {
            "data": {"name": "events"},
            "transform": [{"filter": "datum.kind != 'verdict'"}],
            "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True},
            "encoding": {"x": X, "stroke": hue, "tooltip": tip},
        },
        {
            "data": {"name": "events"},
            "mark": {
                "type": "point",
                "shape": "triangle-down",
                "filled": True,
                "size": 45,
                "opacity": 0.75,
                "clip": True,
            },
            "encoding": {"x": X, "y": {"value": 5}, "fill": hue, "tooltip": tip},
        },
    ]


def _chart(
    name: str,
    title: str,
    text: str,
    y_title: str,
    series: Sequence[Series],
    shown: Mapping[str, tuple[str, str]],
    data: Mapping[str, Columns],
    table: Table,
    *,
    log: bool = False,
    extra: Sequence[Spec] = (),
) -> Chart:
    tips = {"at": ("at", ""), **shown}
    layers = [*extra, lines("time", X, y_title, series, log=log), hover("time", X, tips), *event_marks()]
    return Chart(name, title, text, layered(layers, 230), data, table, series, "t", True)


def _users(result: RunResult, found: Sequence[Bucket], data: Mapping[str, Columns], table: Table) -> Chart:
    if (arrivals := result.plan.arrivals) is not None:
        most = max(found, key=lambda b: b.in_flight)
        text = (
            f"Requests in flight of an open workload, {rate_words(arrivals)}: at most "
            f"{number(round(most.in_flight, 1))}, at {clock(most.at_s)}."
        )
        series = [Series("in flight", 0, False)]
        return _chart(
            "in-flight",
            "Requests in flight",
            text,
            "requests",
            series,
            {"in flight": ("in flight", ".1f")},
            data,
            table,
        )
    levels = plan_levels(result.plan)
    text = (
        f"Users as planned and as they ran, over {duration(result.totals.length_s)}: {plural(len(levels), 'level')} "
        f"planned, from {levels[0].from_users} to {result.plan.curve.peak} users; "
        f"at most {max(b.running for b in found)} ran at once."
    )
    series = [Series("running", 0), Series("planned", 6), Series("in flight", 2)]
    shown = {"planned": ("planned", ",.4~g"), "running": ("running", ",.4~g"), "in flight": ("in flight", ".2f")}
    return _chart("users", "Users, planned and actual", text, "users", series, shown, data, table)


def _due(result: RunResult, data: Mapping[str, Columns], table: Table) -> Chart:
    """Of a search by rate: the loads that it chose."""
    assert result.plan.arrivals is not None
    text = f"Requests due a second, as the search chose them: {rate_words(result.plan.arrivals)}."
    series = [Series("due", 6), Series("throughput", 2)]
    shown = {"due": ("due a second", ",.1f"), "throughput": ("successes a second", ",.1f")}
    return _chart("due", "The load that was chosen", text, "a second", series, shown, data, table)


def _throughput(found: Sequence[Bucket], data: Mapping[str, Columns], table: Table) -> Chart:
    most = max(found, key=lambda b: b.per_s)
    text = f"Successes a second over time: at most {number(most.per_s)}/s, at {clock(most.at_s)}."
    return _chart(
        "throughput",
        "Throughput",
        text,
        "successes a second",
        [Series("throughput", 2, False)],
        {"throughput": ("successes a second", ",.1f")},
        data,
        table,
    )


def _errors(result: RunResult, kinds: Sequence[str], data: Mapping[str, Columns], table: Table) -> Chart:
    by_kind = ", ".join(f"{n:,} {kind}" for kind, n in result.totals.counts.errors.items())
    share = percent(result.totals.error_ratio)
    text = f"Failures a second by kind; {plural(result.totals.errors, 'failure')} in all, {share}: {by_kind}."
    series = [Series(kind, 1 + i, False) for i, kind in enumerate(kinds)]
    shown = {kind: (kind, ".2f") for kind in kinds}
    return _chart("errors", "Errors by kind", text, "failures a second", series, shown, data, table)


def _latency(result: RunResult, found: Sequence[Bucket], data: Mapping[str, Columns], table: Table) -> Chart:
    is_open, limit = result.plan.arrivals is not None, result.plan.stop.latency
    measured = [b for b in found if b.latency.p95_ms is not None]
    worst = max(measured, key=lambda b: b.latency.p95_ms or 0.0, default=None)
    what = "Response latency, from the time a request was due" if is_open else "Latency of successes, client's clock"
    text = f"{what}: "
    text += (
        "nothing succeeded."
        if worst is None
        else (
            f"P50, P95 and P99 of each piece of time; the highest P95 is {milliseconds(worst.latency.p95_ms)} ms at "
            f"{clock(worst.at_s)}."
        )
    )
    series = [
        Series("P50", 0, False),
        Series("P95", 1, False),
        Series("P99", 3, False),
        *([Series("service P95", 2, False)] if is_open else []),
    ]
    shown = {each.name: (f"{each.name}, ms", ",.3~f") for each in series}
    extra = []
    if limit is not None:
        text += f" The threshold is {limit.name} at most {limit.limit_ms} ms."
        extra = [threshold_rule(limit.limit_ms)]
    title = "Response latency" if is_open else "Latency"
    return _chart("latency", title, text, "ms", series, shown, data, table, log=True, extra=extra)


def threshold_rule(limit_ms: float) -> Spec:
    """The line of a latency threshold."""
    return {
        "data": {"values": [{"limit": limit_ms}]},
        "mark": {"type": "rule", "color": color("bad"), "strokeDash": [8, 4], "strokeWidth": 1.5, "clip": True},
        "encoding": {
            "y": y_axis("limit", "ms", log=True),
            "tooltip": [{"field": "limit", "type": "quantitative", "title": "threshold, ms"}],
        },
    }


def time_table(result: RunResult, found: Sequence[Bucket]) -> Table:
    """The same over time in at most TABLE_ROWS rows."""
    rows = coarser(found, TABLE_ROWS) if len(found) > TABLE_ROWS else list(found)
    joined = rows[0].windows if rows else 1
    note = f"Each row joins {duration(joined * result.plan.options.window_s)}." if joined > 1 else ""
    head = [
        "from",
        "to",
        "users",
        "in flight",
        "ok/s",
        "errors",
        "P50 ms",
        "P95 ms",
        "P99 ms",
        "generator CPU",
        "loop lag ms",
    ]
    return Table(head, [_row(b) for b in rows], note)


def _row(b: Bucket) -> list[Cell]:
    return [
        cell(clock(b.start_s)),
        cell(clock(b.end_s)),
        cell(b.running),
        cell(f"{b.in_flight:.1f}"),
        cell(number(b.per_s)),
        cell(f"{b.counts.failed:,}"),
        *(cell(milliseconds(value)) for value in b.latency.row[:3]),
        cell(percent(b.cpu)),
        cell(milliseconds(1000 * b.loop_lag_s)),
    ]


def events_table(events: Sequence[Happening]) -> Table:
    rows = [[cell(clock(each.at_s)), cell(each.kind), cell(each.sentence)] for each in events]
    return Table(["at", "what", "sentence"], rows, words=(0, 1, 2))
