"""Flags of every verb that makes a run: where it goes, what is sent, how it is measured, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from loadtest.cli.duration import DURATION, DURATION_OR_NONE
from loadtest.core.request.spec import LatencyClock, Profile

__all__ = ["run_flags", "screen_flags"]

Command = TypeVar("Command", bound=Callable[..., Any])

_RUN = (
    click.option(
        "--output-dir",
        type=click.Path(file_okay=False),
        help="The run folder; if it holds something already, a dated one in it.  [default: one in runs/]",
    ),
    click.option("--profile", type=click.Choice(get_args(Profile)), default="relaxed", show_default=True),
    click.option(
        "--payload", type=click.Path(), help="File, folder, tar or zip of request bodies; one file is one body."
    ),
    click.option("--content-type", help="Content-Type of every request."),
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of everything drawn at random."),
    click.option("--window", "window_s", type=DURATION, help="Length of a measuring window.  [default: 1s]"),
    click.option(
        "--drain", "drain_s", type=DURATION_OR_NONE, help="How long requests may take after a stop.  [default: 60s]"
    ),
    click.option(
        "--latency-clock", type=click.Choice(get_args(LatencyClock)), help="Whose latency a threshold is about."
    ),
)

_SCREEN = (
    click.option("--quiet", is_flag=True, help="Print nothing while it runs."),
    click.option("--plain", is_flag=True, help="Print lines while it runs, also on a terminal."),
    click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of text."),
    click.option("--no-report", is_flag=True, help="Write no report.html."),
)


def run_flags(command: Command) -> Command:
    """Decorator: adds where it goes, what is sent, and how it is measured."""
    return _with(_RUN, command)


def screen_flags(command: Command) -> Command:
    """Decorator: adds --quiet, --plain, --json and --no-report."""
    return _with(_SCREEN, command)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
