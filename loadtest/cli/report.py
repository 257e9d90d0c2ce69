"""`loadtest report`: a finished run's result once more, from its folder; an unfinished folder is completed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.cli.pages import REPORT, write_page
from loadtest.core.result.result import RunResult
from loadtest.errors import Problem, SpecError, words
from loadtest.report.busy import busy
from loadtest.report.place import PARTIAL
from loadtest.report.recovery import complete, in_use, read_run
from loadtest.report.summary import summary_of
from loadtest.report.terminal import summary

__all__ = ["command"]


@click.command(name="report")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print each summary as a line of JSON instead of text.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="One page of all DIRs, the tests of a job."
)
@click.option(
    "--png", type=click.Path(file_okay=False, path_type=Path), help="Write each chart as a picture into this folder."
)
def command(folders: tuple[Path, ...], as_json: bool, no_report: bool, html: Path | None, png: Path | None) -> None:
    """Show the result in each run folder DIR again, and write its page, DIR/report.html.

    A folder NAME.partial was left by a run whose process was killed: what it measured until then is completed to a
    whole run folder, with the reason ENGINE_LOST.
    """
    console = Console()
    lost: dict[str, str] = {}
    results = []
    for folder in folders:
        with busy(console, f"reading {folder}", plain=as_json):
            result, path, missing = _result(folder)
        results.append(result)
        if not no_report:
            with busy(console, f"making {REPORT}", plain=as_json):
                missing |= write_page(path / REPORT, [result], _say)
        if as_json:
            click.echo(json.dumps({**summary_of(result), "output_dir": str(path)}))
        else:
            console.print(summary(result, path))
            if not no_report and REPORT not in missing:
                console.print(f"Page: {path / REPORT}", markup=False, highlight=False, soft_wrap=True)
        lost |= {str(path / name): reason for name, reason in missing.items()}
    if html is not None:
        created_at = min((result.started_at for result in results if result.started_at is not None), default=0.0)
        with busy(console, f"making {html}", plain=as_json):
            lost |= write_page(html, results, _say, created_at)
    if png is not None:
        with busy(console, f"drawing into {png}", plain=as_json):
            lost |= _pictures(png, folders, results)
    for name, reason in lost.items():
        click.echo(f"{name} could not be written: {reason}", err=True)
    if lost:
        raise SystemExit(EXIT_NOT_WRITTEN)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _pictures(png: Path, folders: Sequence[Path], results: Sequence[RunResult]) -> dict[str, str]:
    """Every chart of every result: {} or {the folder: why not}."""
    from loadtest.report.html.library import NoLibrary
    from loadtest.report.html.page import page_of
    from loadtest.report.html.pictures import write_pictures

    try:
        for folder, result in zip(folders, results, strict=True):
            prefix = f"{folder.resolve().name}-" if len(results) > 1 else ""
            write_pictures(png, page_of([result]), prefix)
    except NoLibrary as problem:
        return {str(png): str(problem)}
    except OSError as problem:
        return {str(png): words(problem)}
    return {}


def _result(folder: Path) -> tuple[RunResult, Path, dict[str, str]]:
    """(the result, where it is now, files that could not be written)."""
    if folder.is_dir() and not (folder / "summary.json").exists() and folder.resolve().name.endswith(PARTIAL):
        if in_use(folder):
            raise SpecError([Problem(str(folder), "", "is still being written by a run", "wait for its end")])
        return complete(folder)
    return read_run(folder), folder, {}
