"""What `loadtest run` says to a CI and to other tools: thresholds, a summary as Markdown, Locust's CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import Threshold, parse_thresholds
from loadtest.errors import Problem, SpecError, words
from loadtest.report.locust_csv import stats_history
from loadtest.report.markdown import run_markdown

__all__ = ["STEP_SUMMARY", "append_summary", "ci_flags", "more_files", "thresholds_of"]

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
HISTORY = "stats_history.csv"

Command = TypeVar("Command", bound=Callable[..., Any])


def ci_flags(command: Command) -> Command:
    """Adds --threshold, --locust-csv and --summary-markdown."""
    summary = click.option(
        "--summary-markdown",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=STEP_SUMMARY,
        help=f"Append the result as Markdown to this file.  [default: ${STEP_SUMMARY}, where that is set]",
    )
    threshold = click.option(
        "--threshold",
        "thresholds",
        multiple=True,
        help="Besides the job's own: p95<200ms, error_rate<1%, rate>500/s. --gate and --strict obey it.",
    )
    locust = click.option("--locust-csv", is_flag=True, help="Write stats_history.csv with Locust's columns, too.")
    return summary(locust(threshold(command)))


def thresholds_of(texts: Sequence[str]) -> tuple[Threshold, ...]:
    """Raises SpecError with every text that is none, or that is given twice."""
    found: list[Threshold] = []
    problems: list[Problem] = []
    for threshold in parse_thresholds(texts, problems):
        if threshold in found:
            problems.append(Problem("--threshold", threshold.text, "is given twice"))
        found.append(threshold)
    if problems:
        raise SpecError(problems)
    return tuple(found)


def more_files(result: RunResult, folder: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Write what the command line asks for besides the run folder's own files; those that could not be, and why."""
    missing: dict[str, str] = {}
    if given["locust_csv"]:
        try:
            (folder / HISTORY).write_text(stats_history(result), encoding="utf-8")
        except OSError as problem:
            missing[HISTORY] = words(problem)
    lost = append_summary(given["summary_markdown"], run_markdown(result))
    return missing if lost is None else missing | {str(given["summary_markdown"]): lost}


def append_summary(path: Path | None, text: str) -> str | None:
    """Append to the file; what went wrong, None if nothing did. path: None: there is no file to write to."""
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Other steps of the same job write there too.
        with open(path, "a", encoding="utf-8") as out:
            out.write(text + "\n")
    except OSError as problem:
        return words(problem)
    return None
