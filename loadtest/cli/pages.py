"""What a verb does about `report.html`: written where it can be, never the reason that something else fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loadtest.core.result.result import RunResult

__all__ = ["REPORT", "write_page"]

REPORT = "report.html"


def write_page(
    path: Path, results: Sequence[RunResult], say: Callable[[str], object], created_at: float = 0.0, **job: Any
) -> dict[str, str]:
    """Write the page of `results`: {} or {file: why it could not be written}. say: told if it has no charts.
    job: as for `page_of`.

    The measurement is safe by now, so nothing that goes wrong with its picture is raised.
    """
    # Only here: a run starts without templates and charts.
    from loadtest.report.html.render import write_report

    try:
        if why := write_report(path, results, created_at, **job):
            say(f"{path.name} has tables only: {why}")
    except OSError as problem:
        return {path.name: problem.strerror or str(problem)}
    except Exception as problem:
        return {path.name: f"{type(problem).__name__}: {problem}"}
    return {}
