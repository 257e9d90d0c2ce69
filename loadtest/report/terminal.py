"""The end of a run on a terminal: the verdict first, then why it stopped, the levels, and how far to trust it all.

The words are ASCII, the frame falls back to ASCII by itself, and NO_COLOR is obeyed by rich.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loadtest.core.judge.decision import REASONS
from loadtest.core.judge.verdict import LatencyVerdict
from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.silence import silences
from loadtest.core.result.exit_code import SILENT_SHARE
from loadtest.core.result.result import RunResult
from loadtest.core.result.unused import not_used
from loadtest.errors import explained_at
from loadtest.report.advice import failure_advice
from loadtest.report.best import best_lines
from loadtest.report.capacity import capacity_lines
from loadtest.report.checks import interval_words
from loadtest.report.cloudwatch import cloudwatch_tables, judged_clock, service_lines
from loadtest.report.connections import connection_lines
from loadtest.report.live import LiveView
from loadtest.report.slow import slow_lines
from loadtest.report.streaming import streaming_tables
from loadtest.report.words import duration, evidence_words, level_users, milliseconds, number, percent, plural
from loadtest.report.workload import confirmation_lines, latency_table, worker_lines, workload_lines

__all__ = ["LiveView", "closing", "headline", "summary"]

STYLES = {"met": "bold green", "not met": "bold red", "undecided": "bold yellow"}
MAX_ROWS = 24
FIRST_ROWS = 4  # of a longer table; its end, where the run stopped, says more than its middle
MAX_DETAILS = 5
WAY = {"target_url": "", "target_proxy": "by proxy ", "target_region": "region "}


def summary(result: RunResult, folder: str | os.PathLike[str] | None = None) -> RenderableType:
    """What to print for a result. folder: where its files are; None: nowhere."""
    parts: list[RenderableType] = [Text(result.label, style="bold")] if result.label else []
    one_rate = result.plan.arrivals is not None and not result.searched
    parts += headline(result)
    parts += [latency_table(result.totals) if one_rate else _level_table(result)]
    parts += [*streaming_tables(result), *cloudwatch_tables(result)]
    parts += closing(result)
    if way := [f"{words}{name}" for key, words in WAY.items() if (name := result.environment.get(key))]:
        parts.append(Text(f"Target: {', '.join(way)}", overflow="fold"))
    if folder is not None:
        parts.append(Text(f"Results: {os.fspath(folder)}", overflow="fold"))
    return Group(*parts)


def headline(result: RunResult, *, over: bool = True) -> list[RenderableType]:
    """The verdict and what it rests on, why the run ended, the best rate: what every report begins with.

    over: False: it goes on, and `result` is of what there is.
    """
    asked = over or result.plan.stop.latency is not None
    verdict = capacity_lines(result) if result.searched else [_verdict(result)] if asked else []
    why = _why(result) if over else ()
    return [*_failed_share(result), *verdict, *_thresholds(result), *slow_lines(result), *why, *_figures(result)]


def closing(result: RunResult) -> list[RenderableType]:
    """Connections, the confirmation, errors, how far to trust it all, the endpoint, warnings, what was not used."""
    confirmation = () if result.confirmation is None else confirmation_lines(result.confirmation)
    found = (*connection_lines(result.totals), *confirmation, *_errors(result), *_trust(result))
    lines = (Text(line, overflow="fold") for line in service_lines(result))
    return [*found, *lines, *_warnings(result), *_unused(result)]


def _failed_share(result: RunResult) -> Iterator[Text]:
    """Before any verdict: for how much of the run there was nothing to judge."""
    share = result.silent_share
    if share >= SILENT_SHARE and result.totals.ok:
        text = " of the run the endpoint answered next to nothing well: the figures below are of the rest"
        yield Text.assemble((f" FAILED FOR {percent(round(share, 2))} ", "bold white on red"), text)


def _verdict(result: RunResult) -> RenderableType:
    """The verdict's line, and what it rests on."""
    overall, threshold = result.overall, result.plan.stop.latency
    if REASONS[result.reason].exit_code == 1:
        return Text.assemble((" FAILED ", "bold white on red"), f" {REASONS[result.reason].sentence}")
    if threshold is None:
        return Text.assemble((" DONE ", "bold black on green"), " no latency threshold was asked for")
    asked = f"{threshold.name} of latency at most {threshold.limit_ms} ms"
    if overall is None:
        return Text.assemble(("UNDECIDED", STYLES["undecided"]), f"  {asked}: nothing was measured against it")
    text = Text.assemble((overall.answer.upper(), STYLES[overall.answer]), f"  {asked} ({overall.clock} clock)")
    return Group(text, _indented(_basis(overall, result.totals.errors)))


def _thresholds(result: RunResult) -> Iterator[RenderableType]:
    """What was asked besides the job's own threshold."""
    for verdict in result.thresholds:
        yield Text.assemble((verdict.answer.upper(), STYLES[verdict.answer]), f"  {verdict.text}")
        yield _indented("; ".join(filter(None, (interval_words(verdict), verdict.why))))


def _indented(text: Text | str) -> Padding:
    return Padding(text if isinstance(text, Text) else Text(text), (0, 0, 0, 2), expand=False)


def _basis(verdict: LatencyVerdict, errors: int) -> str:
    """What a verdict rests on. errors: failures of the run, which count as over the limit."""
    facts = []
    if verdict.n:
        how = "over it or failed" if errors else "over it"
        facts.append(f"{verdict.over:,} of {verdict.n:,} requests {how} ({percent(verdict.over / verdict.n)})")
    if verdict.from_n and verdict.from_over is not None and verdict.from_n != verdict.n:
        share = percent(verdict.from_over / verdict.from_n)
        facts.append(f"from {duration(verdict.from_s or 0.0)} on {verdict.from_over:,} of {verdict.from_n:,} ({share})")
    if verdict.low_ms is not None or verdict.high_ms is not None:
        facts.append(f"P{verdict.percentile * 100:g} within {_interval(verdict)} ms (95 % confidence)")
    if verdict.rule:
        level = "" if verdict.level is None else f" at level {verdict.level}"
        at = "" if verdict.decided_at_s is None else f" after {duration(verdict.decided_at_s)}"
        by = "" if verdict.answer == "undecided" else "by "
        facts.append(f"{by}{verdict.rule}{level}{at}")
    if verdict.assumed:
        facts.append(verdict.assumed)
    if verdict.more_requests:
        facts.append(f"about {verdict.more_requests:,} more requests would decide it")
    return "; ".join(facts) or "no request was judged"


def _why(result: RunResult) -> Iterator[RenderableType]:
    ended_s = result.totals.length_s if result.stopped_at_s is None else result.stopped_at_s
    yield Text(f"Ended after {duration(ended_s)}: {REASONS[result.reason].sentence} ({result.reason.value})")
    evidence = dict(result.evidence)
    scaling = evidence.pop("usl", None)
    if facts := evidence_words(evidence):
        yield _indented(", ".join(facts))
    if scaling and scaling.get("peak_users") is not None:
        yield _indented(
            f"USL fit: sigma {scaling['sigma']:.3g}, kappa {scaling['kappa']:.3g}, "
            f"peak {number(scaling['peak_per_s'])}/s at {scaling['peak_users']:.3g} users"
        )


def _figures(result: RunResult) -> Iterator[RenderableType]:
    yield from best_lines(result)
    yield from workload_lines(result)
    yield from worker_lines(result.workers)
    schedule = result.schedule
    if schedule.started:
        yield Text(
            f"Schedule {schedule.verdict}: users started {milliseconds(schedule.mean_lag_ms)} ms late on average, "
            f"{milliseconds(schedule.max_lag_ms)} ms at most",
            style="yellow" if schedule.verdict == "late" else "",
        )


def _level_table(result: RunResult) -> RenderableType:
    """A row a level; latencies in ms of the client's clock. The interval is the threshold's percentile's."""
    verdicts = {verdict.level: verdict for verdict in result.verdicts}
    threshold = result.plan.stop.latency
    # Two-line headings and narrow gaps: nine columns are to fit in 80.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    load = "\nusers" if result.plan.arrivals is None else "\ndue"
    for heading in (load, "in\nflight", "\nreq/s", "\nerrors", "p50\nms", "p95\nms", "p99\nms"):
        table.add_column(heading, justify="right", no_wrap=True)
    if verdicts and threshold is not None:
        table.add_column(
            f"{threshold.name}, 95 %\n{judged_clock(result.verdicts)} clock", justify="right", no_wrap=True
        )
        table.add_column("\nverdict", no_wrap=True)
    skipped = max(0, len(result.levels) - MAX_ROWS)
    for i, level in enumerate(result.levels):
        if skipped and FIRST_ROWS <= i < FIRST_ROWS + skipped:
            if i == FIRST_ROWS:
                table.add_row(f"({skipped} more)")
            continue
        table.add_row(*_level_cells(level, verdicts.get(level.level), bool(verdicts)))
    return table


def _level_cells(level: LevelResult, verdict: LatencyVerdict | None, judged: bool) -> Sequence[RenderableType]:
    cells: list[RenderableType] = [
        level_users(level.plan),
        "-" if level.in_flight is None else f"{level.in_flight:.1f}",
        "-" if level.throughput_per_s is None else number(level.throughput_per_s),
        Text(f"{level.errors:,}", style="red" if level.errors else ""),
        *map(
            milliseconds,
            (level.latencies.client if level.plan.rate_per_s is None else level.latencies.response).row[:3],
        ),
    ]
    if judged:
        cells.append("-" if verdict is None else _interval(verdict))
        cells.append("-" if verdict is None else Text(verdict.answer, style=STYLES[verdict.answer]))
    return cells


def _interval(verdict: LatencyVerdict) -> str:
    if verdict.low_ms is None and verdict.high_ms is None:
        return "-"
    high = "?" if verdict.high_ms is None else milliseconds(verdict.high_ms)
    return f"{milliseconds(verdict.low_ms)} .. {high}"


def _errors(result: RunResult) -> Iterator[RenderableType]:
    totals = result.totals
    if not totals.errors:
        return
    shown = list(totals.counts.details.items())[:MAX_DETAILS]
    hidden = len(totals.counts.details) - len(shown)
    more = f", and {plural(hidden, 'other kind')}" if hidden else ""
    listed = ", ".join(f"{n:,} x {detail}" for detail, n in shown)
    yield Text(f"Errors: {percent(totals.error_ratio)} of requests failed: {listed}{more}", style="red")
    for advice in failure_advice(totals.counts.details):
        yield _indented(Text.assemble(("- ", "yellow"), advice))


def _trust(result: RunResult) -> Iterator[RenderableType]:
    trust = result.trust
    if trust.valid:
        yield Text.assemble("Trust: ", ("VALID", "bold green"))
    else:
        limited = ", the load generator set the pace" if trust.client_limited else ""
        yield Text.assemble("Trust: ", ("INVALID", "bold red"), limited)
    for reason in trust.reasons:
        yield _indented(Text.assemble(("- ", "yellow"), f"{reason.code}: {reason.text}; {reason.advice}"))
    if codes := [reason.code for reason in trust.reasons]:
        yield _indented(Text(f"see {explained_at(*codes)}", style="dim"))


def _warnings(result: RunResult) -> Iterator[RenderableType]:
    warnings = list(result.problems)
    if result.totals.lost_workers:
        warnings.append(f"lost: {plural(result.totals.lost_workers, 'generator process', 'generator processes')}")
    warnings += _silences(result)
    if result.evidence.get("at_once"):
        last_s = max((window.end_s for window in result.windows), default=0.0)
        warnings.append(f"ended at once: what was sent after {duration(last_s)} is not in the result")
    if result.totals.counts.clamped:
        warnings.append(f"{result.totals.counts.clamped:,} latencies were outside 1 us .. 1 h and count at the border")
    if result.not_run:
        warnings.append(f"over the job's own limit of tests, run nowhere: {', '.join(result.not_run)}")
    for warning in warnings:
        yield Text(f"Warning: {warning}", style="yellow")
    if result.log_tail:
        yield Text("The generator's last lines:")
        yield _indented(Text("\n".join(result.log_tail), style="dim"))


def _unused(result: RunResult) -> Iterator[Text]:
    """What the job asked for that this run had no use for."""
    if told := not_used(result.info.get("not_used", ())):
        yield Text(f"Not used here: {told}", style="dim", overflow="fold")


def _silences(result: RunResult) -> Iterator[str]:
    """Where nothing succeeded for a while: rates and percentiles do not show it."""
    ended_s = math.inf if result.stopped_at_s is None else result.stopped_at_s
    traffic = [window for window in result.windows if window.start_s < ended_s]
    for start_s, end_s in silences(traffic) if result.totals.ok else ():
        until = ", to the end" if end_s >= min(ended_s, traffic[-1].end_s) else ""
        yield f"no request succeeded from {duration(start_s)} to {duration(end_s)}{until}"
