"""`loadtest report`: a finished run's result once more, from its folder; an unfinished folder is completed."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.core.result.result import RunResult
from loadtest.errors import Problem, SpecError
from loadtest.report.busy import busy
from loadtest.report.place import PARTIAL
from loadtest.report.recovery import complete, in_use, read_run
from loadtest.report.summary import summary_of
from loadtest.report.terminal import summary

__all__ = ["command"]


@click.command(name="report")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print each summary as a line of JSON instead of text.")
def command(folders: tuple[Path, ...], as_json: bool) -> None:
    """Show the result in each run folder DIR again.

    A folder NAME.partial was left by a run whose process was killed: what it measured until then is completed to a
    whole run folder, with the reason ENGINE_LOST.
    """
    console = Console()
    lost = False
    for folder in folders:
        with busy(console, f"reading {folder}", plain=as_json):
            result, path, missing = _result(folder)
        if as_json:
            click.echo(json.dumps({**summary_of(result), "output_dir": str(path)}))
        else:
            console.print(summary(result, path))
        for name, reason in missing.items():
            click.echo(f"{path}: {name} could not be written: {reason}", err=True)
        lost = lost or bool(missing)
    if lost:
        raise SystemExit(EXIT_NOT_WRITTEN)


def _result(folder: Path) -> tuple[RunResult, Path, dict[str, str]]:
    """(the result, where it is now, files that could not be written)."""
    if folder.is_dir() and not (folder / "summary.json").exists() and folder.resolve().name.endswith(PARTIAL):
        if in_use(folder):
            raise SpecError([Problem(str(folder), "", "is still being written by a run", "wait for its end")])
        return complete(folder)
    return read_run(folder), folder, {}
