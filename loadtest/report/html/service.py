"""The endpoint's own figures on a page: means by publishing period over time, how busy its instances were. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from loadtest.core.result.periods import Period, Usage
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import LevelSide, ServiceSide
from loadtest.report.cloudwatch import cloudwatch_lines, log_lines, percentile_range
from loadtest.report.html.chart import Cell, Chart, Columns, Series, Table, cell, hover, layered, lines
from loadtest.report.html.overtime import X, event_marks
from loadtest.report.html.tables import figure
from loadtest.report.words import clock, level_users, milliseconds, number

Span = TypeVar("Span", Period, Usage)

__all__ = ["service_charts", "service_table", "service_texts"]

BUSY: Mapping[str, str] = {
    "cpu": "CPU",
    "memory": "memory",
    "gpu": "GPU",
    "gpu_memory": "GPU memory",
    "disk": "disk",
}
NOTE = (
    "Whole periods inside a level only. Network is what is left of the client's mean; percentiles of parts do not add "
    "up. The model's percentile of several periods lies between the lowest and the highest of theirs."
)


def service_charts(side: ServiceSide) -> list[Chart]:
    """[] if CloudWatch told nothing."""
    return [*_latency(side), *_usage(side)]


def service_table(result: RunResult, side: ServiceSide) -> Table | None:
    """A row a level that holds a whole period; None: none does."""
    if not side.levels:
        return None
    users = {level.level: level_users(level.plan) for level in result.levels}
    head = ["level", "users", "periods", "requests", "model mean ms", "model P50 ms", "model P95 ms", "model P99 ms"]
    head += [
        "overhead mean ms",
        "network mean ms",
        "client mean ms",
        "client P95 ms",
        "calls/min",
        "a minute and instance",
    ]
    head += ["4xx", "5xx", "model errors", "CPU %", "memory %"]
    rows = [_row(f"cloudwatch.levels.{i}", level, users.get(level.level, "-")) for i, level in enumerate(side.levels)]
    return Table(head, rows, NOTE)


def service_texts(result: RunResult) -> list[tuple[str, str]]:
    """What is absent or doubtful, and the log's lines."""
    logged = list(log_lines(result))
    notes = [line for line in cloudwatch_lines(result) if line not in logged]
    texts = [("What is absent or doubtful", "\n".join(notes))] if notes else []
    return [*texts, *([("The endpoint's log in minutes with errors", "\n".join(logged))] if logged else [])]


def _latency(side: ServiceSide) -> list[Chart]:
    told = [each for each in side.periods if each.model.n]
    if not told:
        return []
    drawn = _with_gaps(told, Period)
    columns: Columns = {
        **_times(drawn),
        "client mean": [_ms(each.client.mean_ms) for each in drawn],
        "model mean": [_ms(each.model.mean_ms) for each in drawn],
        "overhead mean": [_ms(each.overhead.mean_ms) for each in drawn],
        "network mean": [_ms(each.network_ms if (each.network_ms or 0) >= 0 else None) for each in drawn],
        "client P95": [_ms(each.client.p95_ms) for each in drawn],
        "model P95": [_ms(each.model.percentiles.get(0.95)) for each in drawn],
    }
    series = [
        Series("client mean", 0),
        Series("model mean", 2),
        Series("overhead mean", 3),
        Series("network mean", 4),
        Series("client P95", 1, False),
        Series("model P95", 5, False),
    ]
    rows = [
        [
            cell(clock(max(0.0, each.start_s))),
            cell("-" if each.level is None else each.level),
            cell(f"{each.model.n:,}"),
            cell(milliseconds(each.client.mean_ms)),
            cell(milliseconds(each.model.mean_ms)),
            cell(milliseconds(each.overhead.mean_ms)),
            cell("-" if each.network_ms is None else number(round(each.network_ms, 2))),
        ]
        for each in told
    ]
    slowest = max(told, key=lambda each: each.model.mean_ms or 0.0)
    text = (
        f"What CloudWatch told each {side.period_s:g} s beside what this client measured in the same time: the model's "
        f"mean is highest, {milliseconds(slowest.model.mean_ms)} ms, from {clock(max(0.0, slowest.start_s))} on. "
        "Network is the client's mean less overhead and model."
    )
    head = ["from", "level", "requests", "client mean ms", "model mean ms", "overhead mean ms", "network mean ms"]
    return [_chart("service", "The model's clock", text, "ms", series, columns, Table(head, rows, words=(0, 1)))]


def _usage(side: ServiceSide) -> list[Chart]:
    names = [name for name in BUSY if any(getattr(each, name) is not None for each in side.usage)]
    if not names:
        return []
    drawn = _with_gaps(side.usage, Usage)
    columns: Columns = {
        **_times(drawn),
        **{BUSY[name]: [_ms(getattr(each, name)) for each in drawn] for name in names},
    }
    rows = [
        [cell(clock(max(0.0, each.start_s))), *(cell(_percent(getattr(each, name))) for name in names)]
        for each in side.usage
    ]
    most = {name: max(v for each in side.usage if (v := getattr(each, name)) is not None) for name in names}
    text = "How busy the instances were, mean over them; CPU and GPU count 100 % each core or GPU. At most: " + (
        ", ".join(f"{BUSY[name]} {number(value)} %" for name, value in most.items()) + "."
    )
    series = [Series(BUSY[name], i, False) for i, name in enumerate(names)]
    table = Table(["from", *(f"{BUSY[name]} %" for name in names)], rows)
    return [_chart("usage", "The endpoint's instances", text, "percent", series, columns, table)]


def _with_gaps(told: Sequence[Span], empty: Callable[[float, float], Span]) -> list[Span]:
    """`told` with an empty period where there is none, so that no line is drawn through what nobody told."""
    found: list[Span] = []
    for each in told:
        if found and each.start_s - found[-1].end_s > 0.5 * (each.end_s - each.start_s):
            found.append(empty(found[-1].end_s, each.start_s))
        found.append(each)
    return found


def _times(drawn: Sequence[Period] | Sequence[Usage]) -> Columns:
    return {
        "t": [round((each.start_s + each.end_s) / 2, 2) for each in drawn],
        "at": [clock(max(0.0, each.start_s)) for each in drawn],
    }


def _chart(
    name: str, title: str, text: str, y_title: str, series: Sequence[Series], columns: Columns, table: Table
) -> Chart:
    shown = {"at": ("from", ""), **{each.name: (f"{each.name}, {y_title}", ",.3~f") for each in series}}
    layers = [lines(name, X, y_title, series, points=True, broken=True), hover(name, X, shown), *event_marks()]
    return Chart(name, title, text, layered(layers, 230), {name: columns}, table.only(*table.head), series, "t", True)


def _row(at: str, level: LevelSide, users: str) -> list[Cell]:
    ms = milliseconds
    whole = lambda value: f"{value:,.0f}"  # noqa: E731
    return [
        figure(f"{at}.level", level.level, str),
        cell(users),
        figure(f"{at}.periods", level.periods, str),
        figure(f"{at}.requests", level.requests, whole),
        figure(f"{at}.model_mean_ms", level.model_mean_ms, ms),
        *(_range(at, level, share) for share in (0.5, 0.95, 0.99)),
        figure(f"{at}.overhead_mean_ms", level.overhead_mean_ms, ms),
        figure(f"{at}.network_ms", level.network_ms, ms),
        figure(f"{at}.client_mean_ms", level.client.mean_ms, ms),
        figure(f"{at}.client_p95_ms", level.client.p95_ms, ms),
        figure(f"{at}.invocations_per_min", level.invocations_per_min, number),
        figure(f"{at}.per_instance_per_min", level.per_instance_per_min, number),
        figure(f"{at}.errors_4xx", level.errors_4xx, whole),
        figure(f"{at}.errors_5xx", level.errors_5xx, whole),
        figure(f"{at}.model_errors", level.model_errors, whole),
        figure(f"{at}.cpu", level.cpu, number),
        figure(f"{at}.memory", level.memory, number),
    ]


def _range(at: str, level: LevelSide, share: float) -> Cell:
    low = (level.model_percentiles or {}).get(share, (None, None))[0]
    return Cell(percentile_range(level, share), f"{at}.model_p{share * 100:g}_low_ms", low)


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _percent(value: float | None) -> str:
    return "-" if value is None else number(round(value, 1))
