"""A comparison as text, as a table for a pull request, and as JSON. Nothing is concluded here that is not in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtest.core.compare.comparison import POINTS, Comparison, Row
from loadtest.core.plain import plain
from loadtest.report.words import milliseconds, number, percent, plural

__all__ = [
    "COMPARISON_VERSION",
    "Compared",
    "answer_words",
    "change_words",
    "comparison_json",
    "comparison_markdown",
    "comparison_text",
    "confidence_sentence",
    "count_sentence",
    "row_cells",
    "row_name",
]

COMPARISON_VERSION = 1  # rises when a member changes its meaning or goes
STYLES = {"better": "bold green", "worse": "bold red", "same": "green", "undecided": "yellow"}
MARKS = {"better": ":white_check_mark: better", "worse": ":x: **worse**"}
HEADS = ("", "A", "B", "change", "interval", "")


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison with what it was made of. baseline, candidate: the sides' folders. doubts: sentences."""

    baseline: tuple[str, ...]
    candidate: tuple[str, ...]
    comparison: Comparison
    doubts: tuple[str, ...] = ()


def comparison_json(compared: Sequence[Compared]) -> dict[str, Any]:
    """Plain JSON values: a member `comparisons` with one entry for each candidate."""
    entries = [
        {
            "baseline": list(each.baseline),
            "candidate": list(each.candidate),
            "answer": each.comparison.answer,
            "margin": each.comparison.margin,
            "alpha": each.comparison.alpha,
            "doubts": list(each.doubts),
            "rows": [plain(asdict(row)) for row in each.comparison.rows],
        }
        for each in compared
    ]
    return {"schema_version": COMPARISON_VERSION, "comparisons": entries}


def comparison_text(compared: Compared, *, everything: bool = False) -> RenderableType:
    """For a terminal of 80 columns. everything: also the rows of levels that say nothing new."""
    comparison = compared.comparison
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(HEADS):
        table.add_column(head, justify="left" if place in (0, 5) else "right", no_wrap=place != 5)
    shown = _shown(comparison.rows, everything)
    for row in shown:
        table.add_row(row_name(row), *row_cells(row), Text(answer_words(row, comparison), style=STYLES[row.answer]))
    parts: list[RenderableType] = [
        Text(f"Baseline   {', '.join(compared.baseline)}", overflow="fold"),
        Text(f"Candidate  {', '.join(compared.candidate)}", overflow="fold"),
        Text.assemble((comparison.answer.upper(), STYLES[comparison.answer]), f"  {count_sentence(comparison)}"),
        Text(),
        table,
    ]
    if left := len(comparison.rows) - len(shown):
        parts.append(Text(f"{plural(left, 'row')} of levels not shown: undecided, or the same (--all shows them)"))
    parts += [Text(f"{row_name(row)}: {row.why}") for row in shown if row.why]
    parts += [Text(confidence_sentence(comparison)), *(Text(f"! {doubt}", style="yellow") for doubt in compared.doubts)]
    return Group(*parts)


def comparison_markdown(compared: Sequence[Compared]) -> str:
    """A table for a pull request's comment."""
    return "\n".join(line for each in compared for line in _markdown(each))


def _markdown(compared: Compared) -> Iterator[str]:
    comparison = compared.comparison
    yield f"### Load test: {MARKS.get(comparison.answer, comparison.answer)}"
    yield ""
    baseline, candidate = (_cell(", ".join(side)) for side in (compared.baseline, compared.candidate))
    yield f"{candidate} against {baseline}. {count_sentence(comparison)}"
    yield ""
    yield "| | baseline | candidate | change | interval | |"
    yield "|---|---:|---:|---:|---:|---|"
    for row in _shown(comparison.rows, everything=False):
        answer = MARKS.get(row.answer, answer_words(row, comparison))
        yield f"| {row_name(row)} | {' | '.join(row_cells(row))} | {_cell(answer)} |"
    yield ""
    yield confidence_sentence(comparison)
    for row in _shown(comparison.rows, everything=False):
        if row.why:
            yield f"- {row_name(row)}: {_cell(row.why)}"
    for doubt in compared.doubts:
        yield f"- {_cell(doubt)}"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _shown(rows: Sequence[Row], everything: bool) -> list[Row]:
    """The whole run's, and of the levels those that say something."""
    return [row for row in rows if everything or row.level is None or row.answer in ("better", "worse")]


def row_name(row: Row) -> str:
    return row.metric if row.level is None else f"{row.metric}, {row.users} users"


def row_cells(row: Row) -> tuple[str, str, str, str]:
    """(baseline, candidate, difference, interval)."""
    unit = " pt" if row.unit == "share" else " %"
    change = "-" if row.difference is None else f"{change_words(row, row.difference)}{unit}"
    bounded = row.low is not None or row.high is not None
    interval = f"{change_words(row, row.low)} .. {change_words(row, row.high)}{unit}" if bounded else "-"
    return _value(row, row.a), _value(row, row.b), change, interval


def _value(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    if row.unit == "share":
        return percent(value)
    if row.unit == "ms":
        return f"{milliseconds(value)} ms"
    return f"{number(round(value, 2))}{row.unit if row.unit == '/s' else ''}"


def change_words(row: Row, change: float | None) -> str:
    """In per cent, or in points; "?": it has no end there."""
    if change is None:
        return "?"
    text = f"{100 * change:+.2f}" if row.unit == "share" else f"{100 * change:+.1f}"
    return text.replace("-0.0", "0.0").replace("+0.0", "0.0") if not float(text) else text


def answer_words(row: Row, comparison: Comparison) -> str:
    if row.answer == "same":
        margin = comparison.margin * (POINTS if row.unit == "share" else 1)
        return f"same within {100 * margin:g} {'pt' if row.unit == 'share' else '%'}" if row.low is not None else "same"
    return row.answer


def count_sentence(comparison: Comparison) -> str:
    worse, better = len(comparison.of("worse")), len(comparison.of("better"))
    count = len(comparison.rows)
    if comparison.answer == "worse":
        also = f", {plural(better, 'is', 'are')} better" if better else ""
        return f"{worse} of {plural(count, 'row')} {'is' if worse == 1 else 'are'} worse{also}."
    if comparison.answer == "better":
        return f"{better} of {plural(count, 'row')} {'is' if better == 1 else 'are'} better, none is worse."
    if comparison.answer == "same":
        return f"Every figure of the whole run is the same within {100 * comparison.margin:g} %."
    return "No difference is shown, nor that there is none: longer runs or repeats would tell."


def confidence_sentence(comparison: Comparison) -> str:
    a, b = comparison.runs
    runs = f"{plural(a, 'run')} against {b}" if (a, b) != (1, 1) else "one run against one"
    error = f"{100 * comparison.alpha:g} %"
    return f"One error probability of {error} is shared by all {len(comparison.rows)} rows ({runs})."
