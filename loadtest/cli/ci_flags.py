"""What `loadtest run` says to a CI: thresholds on top of the job's own, and a summary as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from loadtest.core.result.thresholds import Threshold, parse_threshold
from loadtest.errors import Problem, SpecError

__all__ = ["STEP_SUMMARY", "append_summary", "ci_flags", "thresholds_of"]

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"

Command = TypeVar("Command", bound=Callable[..., Any])


def ci_flags(command: Command) -> Command:
    """Adds --threshold and --summary-markdown."""
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
    return summary(threshold(command))


def thresholds_of(texts: Sequence[str]) -> tuple[Threshold, ...]:
    """Raises SpecError with every text that is none, or that is given twice."""
    found: list[Threshold] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            threshold = parse_threshold(text)
        except SpecError as error:
            problems += error.problems
            continue
        if threshold in found:
            problems.append(Problem("--threshold", text, "is given twice"))
        found.append(threshold)
    if problems:
        raise SpecError(problems)
    return tuple(found)


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
        return problem.strerror or str(problem)
    return None
