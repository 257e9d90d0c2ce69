"""What a job file may name: the flags that are shared by every verb that reads one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

__all__ = ["file_flags", "permissions"]

Command = TypeVar("Command", bound=Callable[..., Any])


def file_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as `allow_plugin` and `payload_root`."""
    command = click.option(
        "--payload-root",
        type=click.Path(exists=True, file_okay=False),
        help="Another folder that the job file's payload may lie in.  [default: the file's own alone]",
    )(command)
    return click.option("--allow-plugin", multiple=True, help="A plug-in target that the job file may name.")(command)


def permissions(given: Mapping[str, Any]) -> dict[str, Any]:
    """As `load_job` takes them. A target that the command line names itself may stand in the file, too."""
    named = [given["target"]] if given.get("target") else []
    return {"plugins": [*given["allow_plugin"], *named], "payload_root": given["payload_root"] or ""}
