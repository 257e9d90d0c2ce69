"""`loadtest run --repeat N [--against REF]`: one plan several times, in turn with a baseline's, and their comparison.

Baseline and candidate take turns, A B A B, so that what drifts meanwhile hits both alike. Their run folders lie in one
folder, as a1, b1, a2, b2, ..., with the comparison beside them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from loadtest.cli.compare import EXIT_WORSE
from loadtest.cli.pages import COMPARISON, write_comparison
from loadtest.cli.share import PART_OR_NONE
from loadtest.core.compare.comparison import MARGIN, compare
from loadtest.core.compare.doubts import doubts_of
from loadtest.core.compare.looks import alpha_at
from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.errors import Problem, SpecError, masked
from loadtest.report.comparison import Compared, comparison_json, comparison_markdown, comparison_text
from loadtest.report.place import run_name
from loadtest.report.recovery import read_run
from loadtest.targets.reference import check_target_ref

__all__ = ["Repeats", "repeat_flags", "repeats_of", "run_repeats"]

Command = TypeVar("Command", bound=Callable[..., Any])
Once = Callable[[Plan, Mapping[str, Any]], int]

MOST = 50


@dataclass(frozen=True, slots=True)
class Repeats:
    """What --repeat and --against ask for. count: of each side. against: the baseline's target; None: there is no other
    side. margin: as in `compare`.
    """

    count: int
    against: TargetRef | None
    margin: float


def repeat_flags(command: Command) -> Command:
    """Adds --repeat, --against and --margin."""
    for option in (
        click.option("--margin", type=PART_OR_NONE, help="With --against: what does not matter.  [default: 2%]"),
        click.option("--against", help="With --repeat: the baseline's target, loaded in turn with the other."),
        click.option(
            "--repeat", type=click.IntRange(1, MOST), help="Run it so many times; with --against, each of both."
        ),
    ):
        command = option(command)
    return command


def repeats_of(given: Mapping[str, Any], target: TargetRef) -> Repeats | None:
    """None: not asked for. Raises SpecError for flags that do not go together, and for a wrong reference."""
    count, against = given["repeat"], given["against"]
    problems = []
    if count is None:
        problems += [
            Problem(f"--{name}", "", "is for repeats only", "give --repeat N")
            for name in ("against", "margin")
            if given[name] is not None
        ]
    else:
        for name in ("listen", "confirm"):
            if given.get(name):
                problems.append(Problem("--repeat", str(count), f"cannot be combined with --{name}"))
        if against is None and given["margin"] is not None:
            problems.append(Problem("--margin", "", "there is nothing to compare with", "give --against REF"))
    baseline = None if against is None else TargetRef(against, target.options)
    for ref in filter(None, (baseline, target) if count is not None else ()):
        # Now, not when its turn comes.
        try:
            check_target_ref(ref)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    margin = MARGIN if given["margin"] is None else given["margin"]
    return None if count is None else Repeats(count, baseline, margin)


def run_repeats(plan: Plan, repeats: Repeats, given: Mapping[str, Any], name: str, once: Once) -> int:
    """All runs, until the comparison is decided; the exit code: a failed run's own, else 4 with --gate if worse.

    given: the command line. name: of the job. once: runs a plan with a command line, in its folder; its exit code.
    """
    folder = Path(given["output_dir"] or Path("runs") / run_name(time.time(), f"{name}-repeats", "repeats"))
    _new(folder)
    sides = [("a", repeats.against), ("b", plan.target)] if repeats.against else [("run", plan.target)]
    paths: dict[str, list[str]] = {side: [] for side, _ in sides}
    results: dict[str, list[RunResult]] = {side: [] for side, _ in sides}
    compared, worst = None, 0
    for number in range(1, repeats.count + 1):
        for place, (side, target) in enumerate(sides):
            path = str(folder / f"{side}{number}")
            if repeats.against and not given["quiet"]:
                # Each run is headed by the job's name, whichever side it is of.
                _say(f"{side}{number}, {'the baseline' if side == 'a' else 'the candidate'}: {masked(target.ref)}")
            code = once(
                _reseeded(plan, target or plan.target, len(paths) * number + place), {**given, "output_dir": path}
            )
            results[side].append(read_run(path))
            paths[side].append(path)
            if REASONS[results[side][-1].reason].exit_code:
                return code
            worst = worst or code
        alpha = alpha_at(number, repeats.count)
        if repeats.against and alpha is not None:
            comparison = compare(results["a"], results["b"], margin=repeats.margin, alpha=alpha)
            compared = Compared((*paths["a"],), (*paths["b"],), comparison, doubts_of(results["a"], results["b"]))
            if comparison.answer != "undecided":
                break
    if compared is not None:
        _show(folder, compared, given["as_json"])
        if not given["no_report"]:
            runs = {path: run for side in paths for path, run in zip(paths[side], results[side], strict=True)}
            _page(folder, compared, runs)
            if not given["as_json"] and (folder / COMPARISON).is_file():
                click.echo(f"Page: {folder / COMPARISON}")
        if given["gate"] and not worst and compared.comparison.answer == "worse":
            return EXIT_WORSE
    return worst


def _reseeded(plan: Plan, target: TargetRef, more: int) -> Plan:
    """Another seed: with the same one, repeats would be the same arrivals and bodies again."""
    seed = plan.options.seed + more
    arrivals = plan.arrivals and replace(plan.arrivals, seed=seed)
    return replace(plan, target=target, options=replace(plan.options, seed=seed), arrivals=arrivals)


def _show(folder: Path, compared: Compared, as_json: bool) -> None:
    found = json.dumps(comparison_json([compared]), indent=2)
    try:
        (folder / "comparison.json").write_text(found + "\n", encoding="utf-8")
        (folder / "comparison.md").write_text(comparison_markdown([compared]), encoding="utf-8")
    except OSError as problem:
        click.echo(f"{folder}: the comparison could not be written: {problem.strerror}", err=True)
    if as_json:
        click.echo(found)
    else:
        Console().print(comparison_text(compared), highlight=False)


def _page(folder: Path, compared: Compared, runs: Mapping[str, RunResult]) -> None:
    for name, reason in write_comparison(folder / COMPARISON, [compared], runs, _say).items():
        _say(f"{folder / name} could not be written: {reason}")


def _say(text: str) -> None:
    click.echo(text, err=True)


def _new(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as problem:
        raise SpecError([Problem("--output-dir", str(folder), f"cannot be written: {problem.strerror}")]) from problem
    if taken:
        raise SpecError([Problem("--output-dir", str(folder), "holds something already", "name a new folder")])
