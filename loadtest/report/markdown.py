"""A run's result as Markdown, for a step summary or a comment. Nothing is concluded here that is not in the result."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult
from loadtest.report.capacity_words import held_answer
from loadtest.report.checks import checks_of
from loadtest.report.words import duration, level_users, milliseconds, number

__all__ = ["run_markdown"]

MARKS = {"passed": ":white_check_mark:", "failed": ":x:", "skipped": ":grey_question:", "error": ":warning:"}
MAX_LEVELS = 24


def run_markdown(result: RunResult) -> str:
    """Checks first, then the levels."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: RunResult) -> Iterator[str]:
    yield f"### Load test {_cell(result.label)}".rstrip()
    yield ""
    ended_s = result.totals.length_s if result.stopped_at_s is None else result.stopped_at_s
    yield f"Ended after {duration(ended_s)}: {REASONS[result.reason].sentence} ({result.reason.value})."
    if result.best is not None:
        estimate = ", an estimate from less than a full minute" if result.best.estimated else ""
        yield f"Best rate **{number(result.best.per_min)} invocations/min**{estimate}."
    if result.capacity is not None and not result.searched and result.totals.ok:
        yield f"Capacity {held_answer(result.capacity)}."
    yield ""
    yield "| | asked | answer | what it rests on |"
    yield "|---|---|---|---|"
    for check in checks_of(result):
        yield f"| {MARKS[check.outcome]} | {_cell(check.name)} | {_cell(check.answer)} | {_cell(check.why)} |"
    yield ""
    by_rate = result.searched and result.plan.arrivals is not None
    yield f"| {'due' if by_rate else 'users'} | req/s | errors | p50 ms | p95 ms | p99 ms |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for level in result.levels[-MAX_LEVELS:]:
        rate = "-" if level.throughput_per_s is None else number(level.throughput_per_s)
        judged = level.latencies.response if by_rate else level.latencies.client
        latencies = " | ".join(map(milliseconds, judged.row[:3]))
        yield f"| {level_users(level.plan)} | {rate} | {level.errors:,} | {latencies} |"
    if len(result.levels) > MAX_LEVELS:
        yield ""
        yield f"The last {MAX_LEVELS} of {len(result.levels)} levels."


def _cell(text: str) -> str:
    """What an endpoint may have put into a message must not become markup."""
    for mark in "\\`|*_<>[]":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return text.replace("\n", " ").replace("\r", " ")
