"""What a verb does about `report.html` and `compare.html`: written if they can be, and no reason that a run fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.core.result.result import RunResult
from loadtest.errors import words
from loadtest.report.comparison import Compared

__all__ = ["COMPARISON", "REPORT", "write_comparison", "write_page"]

REPORT = "report.html"
COMPARISON = "compare.html"


def write_page(
    path: Path, results: Sequence[RunResult], say: Callable[[str], object], created_at: float = 0.0, **job: Any
) -> dict[str, str]:
    """Write the page of `results`: {} or {file: why it could not be written}. say: told if it has no charts.
    job: as for `page_of`.

    The measurement is safe by now, so nothing that goes wrong with its picture is raised.
    """

    def write() -> str:
        # Only here: a run starts without templates and charts.
        from loadtest.report.html.render import write_report

        return write_report(path, results, created_at, **job)

    return _written(path, write, say)


def write_comparison(
    path: Path, compared: Sequence[Compared], runs: Mapping[str, RunResult], say: Callable[[str], object]
) -> dict[str, str]:
    """The same of a comparison's page. runs: by the names of their folders."""

    def write() -> str:
        from loadtest.report.html.render import write_page
        from loadtest.report.html.versus import versus_page

        return write_page(path, versus_page(compared, runs))

    return _written(path, write, say)


def _written(path: Path, write: Callable[[], str], say: Callable[[str], object]) -> dict[str, str]:
    try:
        if why := write():
            say(f"{path.name} has tables only: {why}")
    except OSError as problem:
        return {path.name: words(problem)}
    except Exception as problem:
        return {path.name: f"{type(problem).__name__}: {problem}"}
    return {}
