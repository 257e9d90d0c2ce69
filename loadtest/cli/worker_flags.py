"""The flags that say how many generator processes make a run, where they come from, and who may join."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from loadtest.engine.cluster.handshake import TOKEN_VARIABLE, check_token
from loadtest.errors import Problem, SpecError, words
from loadtest.files import read_text

__all__ = ["listen_of", "token_env", "token_flag", "worker_flags", "workers_of"]

Command = TypeVar("Command", bound=Callable[..., Any])


def token_flag(command: Command) -> Command:
    """Decorator: adds --token-file; the command gets it as `token_file`."""
    return click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        help=f"File with the secret that a run and its workers share.  [default: the variable {TOKEN_VARIABLE}]",
    )(command)


def worker_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as `workers`, `listen` and `token_file`."""
    listen_help = "Wait here for --workers of `loadtest worker`; HOST:PORT.  [default: start them on this machine]"
    command = click.option("--listen", help=listen_help)(token_flag(command))
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
    """(host, port); None: not given. Raises SpecError for anything else."""
    if given["listen"] is None:
        return None
    host, _, port = given["listen"].rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise SpecError([Problem("--listen", repr(given["listen"]), "must be HOST:PORT", "such as 127.0.0.1:5557")])
    return host, int(port)


def token_env(token_file: Path | None, host: str, flag: str) -> dict[str, str]:
    """The environment that tells a process the shared secret; {} without one.

    host, flag: whom the process speaks to. Raises SpecError for a secret that is none, and without one where others
    than this machine could take part.
    """
    text, where = os.environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE
    if token_file is not None:
        where = "--token-file"
        try:
            text = read_text(token_file).strip()
        except (OSError, ValueError) as problem:
            raise SpecError([Problem(where, str(token_file), f"cannot be read: {words(problem)}")]) from None
    check_token(text, host, flag, where)
    return {TOKEN_VARIABLE: text} if text else {}
