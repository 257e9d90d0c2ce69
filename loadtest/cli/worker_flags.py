"""The flags that say how many generator processes make a run, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from loadtest.errors import Problem, SpecError

__all__ = ["listen_of", "worker_flags", "workers_of"]

Command = TypeVar("Command", bound=Callable[..., Any])

LOOPBACK = ("127.", "localhost", "::1", "[::1]")


def worker_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as `workers` and `listen`."""
    listen_help = "Wait here for --workers of `loadtest worker`; HOST:PORT.  [default: start them on this machine]"
    command = click.option("--listen", help=listen_help)(command)
    return click.option(
        "--workers", default="1", show_default=True, help="Generator processes: a number, or auto for one a core."
    )(command)


def workers_of(given: Mapping[str, Any]) -> int:
    """How many generator processes. Raises SpecError for anything but 1..256 and auto."""
    text = given["workers"]
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if text.isdigit() and 1 <= int(text) <= 256:
        return int(text)
    raise SpecError([Problem("--workers", repr(text), "must be a number from 1 to 256, or auto")])


def listen_of(given: Mapping[str, Any]) -> tuple[str, int] | None:
    """(host, port); None: not given. Warns on stderr where others can connect. Raises SpecError for anything else."""
    if given["listen"] is None:
        return None
    host, _, port = given["listen"].rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise SpecError([Problem("--listen", repr(given["listen"]), "must be HOST:PORT", "such as 127.0.0.1:5557")])
    if not host.startswith(LOOPBACK):
        click.echo(f"warning: {host}: whoever reaches this port can join the run; use a trusted network only", err=True)
    return host, int(port)
