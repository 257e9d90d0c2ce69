"""`loadtest validate`: check job files and list every problem of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import click

from loadtest.cli.file_flags import file_flags, permissions
from loadtest.core.request.spec import Profile
from loadtest.errors import SpecError, readable
from loadtest.jobfile.jobfile import load_job

__all__ = ["command"]


@click.command(name="validate")
@click.option(
    "--profile",
    type=click.Choice(["aws", "relaxed"]),
    default="aws",
    show_default=True,
    help="aws: everything the service bounds; relaxed: its capacity bounds only warn.",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@file_flags
@click.pass_context
def command(ctx: click.Context, /, profile: str, files: tuple[str, ...], **given: Any) -> None:
    """Check job files (JSON or YAML) and list every problem on stderr, one a line.

    Exit code 0 if all files are valid, else 2.
    """
    valid = True
    for file in files:
        name = readable(click.format_filename(file))
        try:
            _, spec = load_job(file, cast(Profile, profile), **permissions(given))
        except SpecError as error:
            valid = False
            for problem in error.problems:
                click.echo(f"{name}: {problem}", err=True)
            if profile == "aws" and _runs(file, given):
                click.echo(f"{name}: `loadtest run` takes it all the same, and warns (--profile relaxed)", err=True)
        else:
            for warning in spec.warnings:
                click.echo(f"{name}: warning: {warning}", err=True)
            click.echo(f"{name}: valid ({profile})")
    ctx.exit(0 if valid else 2)


def _runs(file: str, given: Mapping[str, Any]) -> bool:
    """What is wrong protects AWS's capacity only."""
    try:
        load_job(file, "relaxed", **permissions(given))
    except SpecError:
        return False
    return True
