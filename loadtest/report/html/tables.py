"""The tables of a page: levels, errors, workers, trust. Each figure says where summary.json has it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.marks import LIMITS
from loadtest.core.result.result import RunResult
from loadtest.report.cloudwatch import judged_clock
from loadtest.report.html.byusers import intervals_of
from loadtest.report.html.chart import Cell, Table, cell
from loadtest.report.words import clock, level_users, milliseconds, number, percent

__all__ = ["errors_table", "figure", "levels_table", "trust_table", "workers_table"]

MOST_ROWS, FIRST_ROWS = 200, 20
Form = Callable[[Any], str]

# Trust's figures -> (name, limit of a marked window or of the run, how both are shown).
FIGURES: Mapping[str, tuple[str, float | None, Form]] = {
    "cpu_max": ("generator's processor time, share of a core", LIMITS.cpu, percent),
    "loop_lag_max_s": ("event loop late by, at most", LIMITS.loop_lag_s, lambda s: f"{milliseconds(1000 * s)} ms"),
    "steal_max": ("CPU time that the host took away", LIMITS.steal, percent),
    "spawn_lag_max_s": (
        "a user started late by, at most",
        LIMITS.spawn_lag_s,
        lambda s: f"{milliseconds(1000 * s)} ms",
    ),
    "spawn_lag_mean_s": ("users started late by, on average", None, lambda s: f"{milliseconds(1000 * s)} ms"),
    "little_gap": ("users without a request in flight (Little's law)", LIMITS.little, percent),
    "marked_windows": ("windows marked: the generator set the pace", None, lambda n: f"{n:,.0f}"),
    "windows": ("windows with users", None, lambda n: f"{n:,.0f}"),
    "user_clock_share": ("successes timed by the process, not by the kernel", None, percent),
    "clock_step_max_s": (
        "wall clock against monotonic clock, a window",
        LIMITS.clock_step_s,
        lambda s: f"{milliseconds(1000 * s)} ms",
    ),
}


def figure(path: str, value: Any, form: Form) -> Cell:
    """A figure of summary.json; "-": it was not measured."""
    return Cell("-" if value is None else form(value), path, value)


def levels_table(result: RunResult) -> Table:
    """A row a level."""
    verdicts = {verdict.level: i for i, verdict in enumerate(result.verdicts)}
    intervals = intervals_of(result)
    head = [
        "level",
        "from",
        "users" if result.plan.moves == () or result.plan.arrivals is None else "due",
        "in flight",
        "req/s",
        "95 % interval",
        "ok",
        "errors",
        "P50 ms",
        "P95 ms",
        "P99 ms",
        "max ms",
    ]
    if result.plan.stop.latency is not None and result.verdicts:
        first = result.verdicts[0]
        head += [f"P{100 * first.percentile:g} interval, {judged_clock(result.verdicts)} clock", "verdict"]
    rows = []
    skipped = max(0, len(result.levels) - MOST_ROWS)
    for i, level in enumerate(result.levels):
        if skipped and FIRST_ROWS <= i < FIRST_ROWS + skipped:
            continue
        row = _level(i, level, intervals.get(level.level))
        if len(head) > len(row):
            row += _judged(result, verdicts.get(level.level))
        rows.append(row)
    note = f"{skipped} levels are left out here; levels.csv has every one." if skipped else ""
    return Table(head, rows, note)


def _level(i: int, level: LevelResult, interval: tuple[float, float] | None) -> list[Cell]:
    at, rate = f"levels.{i}", level.plan.rate_per_s
    load = (f"{at}.users", level.users) if rate is None else (f"{at}.rate_per_s", rate)
    judged, told = (level.latencies.client, at + ".") if rate is None else (level.latencies.response, f"{at}.response_")
    return [
        figure(f"{at}.level", level.level, str),
        cell(clock(level.plan.start_s)),
        Cell(level_users(level.plan), *load),
        figure(f"{at}.in_flight", level.in_flight, lambda n: f"{n:.1f}"),
        figure(f"{at}.throughput_per_s", level.throughput_per_s, number),
        cell("-" if interval is None else f"{number(interval[0])} .. {number(interval[1])}"),
        figure(f"{at}.ok", level.ok, lambda n: f"{n:,}"),
        figure(f"{at}.errors", level.errors, lambda n: f"{n:,}"),
        figure(f"{told}p50_ms", judged.p50_ms, milliseconds),
        figure(f"{told}p95_ms", judged.p95_ms, milliseconds),
        figure(f"{told}p99_ms", judged.p99_ms, milliseconds),
        figure(f"{told}max_ms", judged.max_ms, milliseconds),
    ]


def _judged(result: RunResult, i: int | None) -> list[Cell]:
    if i is None:
        return [cell("-"), cell("-")]
    verdict = result.verdicts[i]
    high = "?" if verdict.high_ms is None else milliseconds(verdict.high_ms)
    bounds = "-" if verdict.low_ms is None else f"{milliseconds(verdict.low_ms)} .. {high}"
    return [
        Cell(bounds, f"verdicts.{i}.low_ms", verdict.low_ms),
        Cell(verdict.answer, f"verdicts.{i}.answer", verdict.answer),
    ]


def errors_table(result: RunResult) -> Table:
    """What failed and how often, the most frequent first."""
    done = max(result.totals.completed, 1)
    details = result.totals.counts.details or result.totals.counts.errors
    rows = [[cell(name), cell(f"{n:,}"), cell(percent(n / done))] for name, n in details.items()]
    return Table(["what failed", "requests", "of all"], rows)


def workers_table(result: RunResult) -> Table:
    """The generator processes of a distributed run."""
    rows = [
        [
            figure(f"workers.{i}.index", worker.index, str),
            Cell(worker.host, f"workers.{i}.host", worker.host),
            figure(f"workers.{i}.clock_offset_s", worker.clock_offset_s, lambda s: f"{1000 * s:+.3f}"),
            figure(f"workers.{i}.clock_within_s", worker.clock_within_s, lambda s: f"{1000 * s:.3f}"),
            cell(f"lost{': ' if worker.why else ''}{worker.why}" if worker.lost else "to the end"),
        ]
        for i, worker in enumerate(result.workers)
    ]
    return Table(["worker", "host", "clock offset ms", "known within ms", "took part"], rows, words=(0, 1, 4))


def trust_table(result: RunResult) -> Table:
    """Each measured figure beside its limit."""
    rows = []
    for name, value in result.trust.figures.items():
        label, limit, form = FIGURES.get(name, (name.replace("_", " "), None, number))
        state = "" if limit is None else "over it" if value >= limit else "below it"
        rows.append(
            [
                cell(label),
                figure(f"trust.figures.{name}", value, form),
                cell("" if limit is None else form(limit)),
                cell(state),
            ]
        )
    note = "One window over a limit is a hiccup; three in a row, or three that are a fifth of all, make a run INVALID."
    return Table(["figure", "measured", "limit", "state"], rows, note, (0, 3))
