"""The page of the command line, made from the program itself: what it says is what `--help` says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from loadtest.cli import VERBS, main

__all__ = ["cli_page"]

HEAD = """\
# Command line

Every verb and flag, from the program itself; `loadtest VERB --help` prints the same. [Quick start](start.md) has
completion for shells, [Troubleshooting](troubleshooting.md#exit-codes) the exit codes.
"""


def cli_page() -> str:
    """Markdown: a section for each verb, in the order of `loadtest --help`."""
    top = click.Context(main, info_name="loadtest", color=False, **main.context_settings)
    return "\n".join([HEAD, *(line for name in VERBS for line in _section(name, top))])


def _section(name: str, top: click.Context) -> Iterator[str]:
    command = main.get_command(top, name)
    assert command is not None
    ctx = click.Context(command, info_name=name, parent=top, color=False, terminal_width=100)
    usage = " ".join(command.get_usage(ctx).removeprefix("Usage: ").split())
    yield f"## `loadtest {name}`\n"
    yield f"```text\n{usage}\n```\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n"
    options = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    records = [found for param in options if (found := param.get_help_record(ctx)) is not None]
    yield "| flag | |\n|---|---|"
    yield from (f"| `{_cell(flags)}` | {_cell(text)} |" for flags, text in records)
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
