"""What a job file may name: the flags that are shared by every verb that reads one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from loadtest.cli.target_flags import target_options

__all__ = ["file_flags", "permissions"]

Command = TypeVar("Command", bound=Callable[..., Any])


def file_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as `allow_plugin` and `payload_root`."""
    command = click.option(
        "--payload-root",
        type=click.Path(exists=True, file_okay=False),
        help="Another folder that the files which a job file names may lie in.  [default: its own alone]",
    )(command)
    return click.option(
        "--allow-plugin", multiple=True, help="A plug-in target that the job file (or a fleet file) may name."
    )(command)


def permissions(given: Mapping[str, Any]) -> dict[str, Any]:
    """As `load_job` takes them. What the command line gives itself is not the file's choice."""
    own = [name for name in ("target", "payload") if given.get(name)]
    flags = {name: value for name, value in given.items() if name.startswith("option_")}
    # A verb without these flags signs nothing.
    own += target_options(flags) if flags else ("profile", "endpoint_url")
    return {"plugins": given["allow_plugin"], "payload_root": given["payload_root"] or "", "own": own}
