"""`loadtest compare`: the runs of one side against those of others, with intervals and answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.cli.pages import write_comparison
from loadtest.cli.share import PART_OR_NONE
from loadtest.core.compare.comparison import ALPHA, MARGIN, compare
from loadtest.core.compare.doubts import doubts_of, plan_differences
from loadtest.core.result.result import RunResult
from loadtest.errors import LoadtestError, Problem, SpecError
from loadtest.report.busy import busy
from loadtest.report.comparison import Compared, comparison_json, comparison_markdown, comparison_text
from loadtest.report.recovery import read_run

__all__ = ["EXIT_WORSE", "command", "compared_sides"]

EXIT_WORSE = 4

Waiting = Callable[[str], AbstractContextManager[Any]]


@click.command(name="compare")
@click.argument("sides", metavar="A B [C ...]", nargs=-1, required=True)
@click.option("--margin", type=PART_OR_NONE, default=MARGIN, help="What does not matter.  [default: 2%]")
@click.option("--force", is_flag=True, help="Compare runs of different plans: levels of the same users.")
@click.option("--fail-on", type=click.Choice(["worse"]), help=f"Exit with {EXIT_WORSE} if any candidate is.")
@click.option("--all", "everything", is_flag=True, help="Show every row of every level.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--markdown", is_flag=True, help="Print a table for a pull request instead of text.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with charts of both sides.")
def command(
    sides: tuple[str, ...],
    margin: float,
    force: bool,
    fail_on: str | None,
    everything: bool,
    as_json: bool,
    markdown: bool,
    html: Path | None,
) -> None:
    """Compare run folders: A is the baseline, every other is held against it.

    Repeats of one side are joined by commas: `loadtest compare a1,a2,a3 b1,b2,b3`.
    """
    if as_json and markdown:
        raise SpecError([Problem("--markdown", "", "--json is given too", "give one of them")])
    waiting = partial(busy, Console(stderr=True), plain=as_json or markdown)
    compared, runs = compared_sides(sides, margin=margin, force=force, waiting=waiting)
    if as_json:
        click.echo(json.dumps(comparison_json(compared), indent=2))
    elif markdown:
        click.echo(comparison_markdown(compared))
    else:
        console = Console()
        for each in compared:
            console.print(comparison_text(each, everything=everything), highlight=False)
    if html is not None:
        with waiting(f"making {html}"):
            lost = write_comparison(html, compared, runs, lambda text: click.echo(text, err=True))
        for name, reason in lost.items():
            click.echo(f"{html.parent / name} could not be written: {reason}", err=True)
            raise SystemExit(EXIT_NOT_WRITTEN)
    if fail_on and any(each.comparison.answer == "worse" for each in compared):
        raise SystemExit(EXIT_WORSE)


def compared_sides(
    sides: Sequence[str], *, margin: float = MARGIN, force: bool = False, waiting: Waiting = nullcontext
) -> tuple[list[Compared], dict[str, RunResult]]:
    """One comparison for each side after the first, and every run by the name of its folder.

    A side is a folder or several, joined by commas; one folder alone, of `run --repeat --against`, is both sides.
    waiting: shows what takes long.

    Raises SpecError with every folder that cannot be read or is given twice, and for different plans without `force`.
    """
    folders = _sides(sides)
    if len(folders) < 2 or not all(folders):
        raise SpecError([Problem("compare", " ".join(sides), "needs two sides", "give a baseline and a candidate")])
    runs = _read([folder for side in folders for folder in side], waiting)
    results = [[runs[folder] for folder in side] for side in folders]
    differences = plan_differences([run.plan for side in results for run in side])
    if differences and not force:
        rule = f"these are runs of different plans: {'; '.join(differences)}"
        raise SpecError([Problem("compare", "", rule, "--force compares their levels of the same users")])
    others = len(results) - 1
    found = []
    for folder, candidate in zip(folders[1:], results[1:], strict=True):
        # The more comparisons are asked for, the less each may err.
        with waiting(f"comparing {', '.join(folder)}"):
            comparison = compare(results[0], candidate, margin=margin, alpha=ALPHA / others)
        doubts = [*(f"different plans: {each}" for each in differences), *doubts_of(results[0], candidate)]
        found.append(Compared(folders[0], folder, comparison, tuple(doubts)))
    return found, runs


def _sides(sides: Sequence[str]) -> list[tuple[str, ...]]:
    if len(sides) == 1:
        runs = [Path(sides[0]).glob(f"{side}[0-9]*") for side in "ab"]
        numbered = [tuple(map(str, sorted(side, key=lambda run: (len(run.name), run.name)))) for side in runs]
        if all(numbered):
            return numbered
    return [_folders(side) for side in sides]


def _folders(side: str) -> tuple[str, ...]:
    # A folder whose name has a comma in it is one folder.
    return (side,) if Path(side).is_dir() else tuple(filter(None, (part.strip() for part in side.split(","))))


def _read(folders: Sequence[str], waiting: Waiting) -> dict[str, RunResult]:
    """Each folder's result; every problem at once."""
    problems: list[Problem] = []
    runs: dict[str, RunResult] = {}
    places: dict[Path, str] = {}
    for folder in folders:
        place = Path(folder).resolve()
        if place in places:
            rule = f"is given twice (also as {places[place]}): a run is not independent of itself"
            problems.append(Problem(folder, "", rule))
            continue
        places[place] = folder
        try:
            with waiting(f"reading {folder}"):
                runs[folder] = _whole(folder)
        except LoadtestError as error:
            problems += error.problems if isinstance(error, SpecError) else [Problem(folder, "", str(error))]
    if problems:
        raise SpecError(problems)
    return runs


def _whole(folder: str) -> RunResult:
    if not Path(folder).is_dir():
        raise SpecError([Problem(folder, "", "there is no such folder", "give the folder that `loadtest run` wrote")])
    result = read_run(folder)
    if not any(window.ok for window in result.windows):
        raise SpecError([Problem(folder, "", "nothing succeeded in this run, so there is nothing to compare")])
    return result
