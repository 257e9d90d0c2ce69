"""The charts of a run against its users: throughput with the fitted law, latency, requests in flight. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from loadtest.core.measure.levels import LevelResult
from loadtest.core.result.result import RunResult
from loadtest.core.stats.rates import LevelRate, level_rates, rate_interval
from loadtest.core.stats.scaling import operating_point, usl, usl_band
from loadtest.report.html.byrate import rate_charts
from loadtest.report.html.capacity_band import capacity_band
from loadtest.report.html.chart import (
    Chart,
    Columns,
    Series,
    Spec,
    Table,
    bars,
    hover,
    layered,
    lines,
    x_axis,
    y_axis,
)
from loadtest.report.html.overtime import threshold_rule
from loadtest.report.html.palette import color
from loadtest.report.words import level_name, milliseconds, number, plural
from loadtest.report.workload import knee_of

__all__ = ["intervals_of", "user_charts"]

X = x_axis("users", "users", axis={"tickMinStep": 1})
MOST_LEVELS = 300
CURVE_POINTS = 80


def intervals_of(result: RunResult) -> dict[int, tuple[float, float]]:
    """95 % interval of each level's throughput, successes a second, where it has at least two windows."""
    by_level: dict[int, list[Any]] = defaultdict(list)
    for window in result.windows:
        if window.level is not None:
            by_level[window.level].append(window)
    found = {level: rate_interval(windows) for level, windows in by_level.items()}
    return {level: interval for level, interval in found.items() if interval is not None}


def user_charts(result: RunResult, table: Table) -> tuple[list[Chart], str]:
    """(throughput, latency and in-flight against users, of a search by rate against its rates; what is to be known of
    them). [] for another open workload.
    """
    levels = [level for level in result.levels if level.windows]
    if result.plan.arrivals is not None or not levels:
        return (rate_charts(result, levels, table) if levels and result.searched else []), ""
    step = -(-len(levels) // MOST_LEVELS)
    drawn = levels[::step] if step > 1 else levels
    note = f"{len(drawn)} of {len(levels)} levels are drawn; levels.csv has every one" if step > 1 else ""
    knee, rates = _knee(result), level_rates(result.plan, result.windows)
    data = {"levels": _levels(result, drawn), **_fit(result, rates)}
    beyond = [_shade(knee, max(level.users for level in levels))] if knee else []
    beyond += capacity_band(result)
    charts = [
        _throughput(
            result,
            drawn,
            knee,
            rates,
            data,
            table.only("level", "users", "req/s", "95 % interval", "ok", "errors"),
            beyond,
        ),
        _latency(
            result,
            drawn,
            knee,
            data,
            table.only("level", "users", "P50 ms", "P95 ms", "P99 ms", *table.head[12:]),
            beyond,
        ),
        _in_flight(drawn, data, table.only("level", "users", "in flight"), beyond),
    ]
    return charts, note


def _knee(result: RunResult) -> float | None:
    """As the terminal has it: what the plateau rule found, else the level above which users only queue."""
    level = knee_of(result.levels)
    found = result.evidence.get("knee_users") or (level and level.users)
    return float(found) if found else None


def _levels(result: RunResult, levels: Sequence[LevelResult]) -> Columns:
    intervals, verdicts = intervals_of(result), {v.level: v for v in result.verdicts}
    bounds = [intervals.get(level.level) for level in levels]
    judged = [verdicts.get(level.level) for level in levels]
    return {
        "users": [level.users for level in levels],
        "level": [level_name(level.plan) for level in levels],
        "throughput": [_round(level.throughput_per_s) for level in levels],
        "low": [_round(pair and pair[0]) for pair in bounds],
        "high": [_round(pair and pair[1]) for pair in bounds],
        "P50": [_round(level.latencies.client.p50_ms) for level in levels],
        "P95": [_round(level.latencies.client.p95_ms) for level in levels],
        "P99": [_round(level.latencies.client.p99_ms) for level in levels],
        "judged low": [_round(v.low_ms if v else None) for v in judged],
        "judged high": [_round(v.high_ms if v else None) for v in judged],
        "verdict": [v.answer if v else "-" for v in judged],
        "in flight": [_round(level.in_flight) for level in levels],
        "active users": [_round(level.active) for level in levels],
        "errors": [level.errors for level in levels],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _fit(result: RunResult, rates: Sequence[LevelRate]) -> dict[str, Columns]:
    if not rates:
        return {}
    last = max(rate.users for rate in rates)
    users = np.linspace(min(1.0, last), last, CURVE_POINTS).tolist()
    band = usl_band(rates, users, result.plan.options.seed)
    if not band:
        return {}
    fit, low, high = ([round(value, 3) for value in column] for column in zip(*band, strict=True))
    return {"usl": {"users": [round(n, 3) for n in users], "USL fit": fit, "fit low": low, "fit high": high}}


def _shade(knee: float, last: float) -> Spec:
    return {
        "data": {"values": [{"from": knee, "to": max(last, knee)}]},
        "mark": {"type": "rect", "color": color("shade"), "opacity": 0.55, "clip": True},
        "encoding": {"x": x_axis("from", "users"), "x2": {"field": "to"}},
    }


def _rule(users: float, title: str, tone: str, line: int = 0) -> list[Spec]:
    """An upright line with its name, which is in a line of its own: two may be at the same users."""
    values = {"values": [{"users": users, "name": title}]}
    return [
        {
            "data": values,
            "mark": {"type": "rule", "color": color(tone), "strokeDash": [2, 3], "strokeWidth": 1.5, "clip": True},
            "encoding": {
                "x": X,
                "tooltip": [{"field": "name"}, {"field": "users", "type": "quantitative", "format": ".3~f"}],
            },
        },
        {
            "data": values,
            "mark": {
                "type": "text",
                "color": color(tone),
                "align": "right",
                "baseline": "top",
                "dx": -4,
                "dy": 4 + 14 * line,
                "fontSize": 11,
            },
            "encoding": {"x": X, "y": {"value": 0}, "text": {"field": "name"}},
        },
    ]


def _throughput(
    result: RunResult,
    levels: Sequence[LevelResult],
    knee: float | None,
    rates: Sequence[LevelRate],
    data: Mapping[str, Columns],
    table: Table,
    beyond: Sequence[Spec],
) -> Chart:
    title = "successes a second"
    series = [Series("throughput", 0), *([Series("USL fit", 1)] if "usl" in data else [])]
    tips = {
        "level": ("", ""),
        "throughput": (title, ",.2f"),
        "low": ("95 % from", ",.2f"),
        "high": ("to", ",.2f"),
        "errors": ("errors", ",d"),
    }
    point = operating_point(rates)
    layers = [
        *beyond,
        *(_fitted(series, title) if "usl" in data else []),
        lines("levels", X, title, series[:1], series, points=True),
        bars("levels", ("low", "high"), X, 0, title),
        hover("levels", X, tips),
        *(_rule(knee, "knee", "warn") if knee else []),
        *(_rule(round(point.users, 2), "operating point", "axis", 1) if point else []),
    ]
    text = " ".join(_scaling_words(result, levels, knee, rates))
    return Chart("scaling", "Throughput against users", text, layered(layers, 330), data, table, series, "users")


def _fitted(series: Sequence[Series], title: str) -> list[Spec]:
    """The fitted law and its band."""
    band = {
        "data": {"name": "usl"},
        "transform": [{"filter": "indexof(hidden, 'USL fit') < 0"}],
        "mark": {"type": "area", "color": color(1), "opacity": 0.18, "clip": True},
        "encoding": {"x": X, "y": y_axis("fit low", title), "y2": {"field": "fit high"}},
    }
    return [band, lines("usl", X, title, series[1:], series)]


def _scaling_words(
    result: RunResult, levels: Sequence[LevelResult], knee: float | None, rates: Sequence[LevelRate]
) -> Iterator[str]:
    measured = [level for level in levels if level.throughput_per_s]
    if measured:
        first, top = measured[0], max(measured, key=lambda level: level.throughput_per_s or 0.0)
        yield (
            f"Throughput is {number(first.throughput_per_s or 0)}/s at {plural(first.users, 'user')} and at most "
            f"{number(top.throughput_per_s or 0)}/s, at {plural(top.users, 'user')}; bars are 95 % intervals of "
            "the mean."
        )
    if knee:
        yield (
            f"The knee is at {number(round(knee, 1))} users: beyond it, shaded, more users brought no more invocations."
        )
    else:
        yield "Throughput did not level out within the users that were tried."
    if point := operating_point(rates):
        yield (
            "The operating point, with the most throughput for its latency, is "
            f"{number(round(point.users, 1))} users ({number(point.per_s)}/s)."
        )
    fit = usl(rates, result.plan.options.seed)
    if fit is not None:
        peak = fit.peak_users
        guess = ", beyond what was measured: a guess" if fit.extrapolated else ""
        where = "" if peak is None else f", with its peak at {number(round(peak, 1))} users{guess}"
        yield (
            f"The Universal Scalability Law fits with sigma {fit.sigma:.3g} and kappa {fit.kappa:.3g}{where}; the "
            "band is 90 % of its bootstrap."
        )


def _latency(
    result: RunResult,
    levels: Sequence[LevelResult],
    knee: float | None,
    data: Mapping[str, Columns],
    table: Table,
    beyond: Sequence[Spec],
) -> Chart:
    limit = result.plan.stop.latency
    series = [Series("P50", 0), Series("P95", 1), Series("P99", 3)]
    layers = [*beyond, lines("levels", X, "ms", series, log=True, points=True)]
    tips = {"level": ("", ""), **{s.name: (f"{s.name}, ms", ",.3~f") for s in series}, "verdict": ("verdict", "")}
    measured = [level for level in levels if level.latencies.client.p95_ms is not None]
    facts = []
    if measured:
        last = measured[-1]
        facts.append(
            f"P95 is {milliseconds(measured[0].latencies.client.p95_ms)} ms at {plural(measured[0].users, 'user')} and "
            f"{milliseconds(last.latencies.client.p95_ms)} ms at {plural(last.users, 'user')} (client's clock)."
        )
    if limit is not None:
        layers.append(threshold_rule(limit.limit_ms))
        facts.append(f"The threshold, the dashed line, is {limit.name} at most {limit.limit_ms} ms.")
    if any(v.low_ms is not None and v.high_ms is not None for v in result.verdicts):
        clock = result.verdicts[0].clock
        layers.append(bars("levels", ("judged low", "judged high"), X, 1, "ms"))
        name = f"P{100 * result.verdicts[0].percentile:g}"
        facts.append(f"Bars are the 95 % interval of {name} on the {clock}'s clock, which the verdict is about.")
        tips |= {"judged low": (f"{name} 95 % from, ms", ",.3~f"), "judged high": ("to, ms", ",.3~f")}
    if knee:
        facts.append("Beyond the knee, shaded, latency measures how many users wait, not how fast the endpoint is.")
    layers.append(hover("levels", X, tips))
    return Chart(
        "latency-users", "Latency against users", " ".join(facts), layered(layers, 330), data, table, series, "users"
    )


def _in_flight(
    levels: Sequence[LevelResult], data: Mapping[str, Columns], table: Table, beyond: Sequence[Spec]
) -> Chart:
    series = [Series("in flight", 2), Series("active users", 6)]
    last = levels[-1]
    text = (
        "Mean number of requests in flight, and of active users, at each level; without think time the two agree "
        "unless the generator holds users up."
    )
    if last.in_flight is not None and last.active:
        text += f" At the last level {last.in_flight:.2f} of {last.active:.2f}."
    tips = {"level": ("", ""), "in flight": ("in flight", ".2f"), "active users": ("active users", ".2f")}
    layers = [*beyond, lines("levels", X, "requests, users", series, points=True), hover("levels", X, tips)]
    return Chart(
        "in-flight-users", "Requests in flight against users", text, layered(layers, 220), data, table, series, "users"
    )
