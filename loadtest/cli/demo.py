"""`loadtest demo`: the quickstart job against the built-in mock endpoint, from nothing but the installed package."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import click

from loadtest.cli.run import command as run

__all__ = ["command"]

JOB = "quickstart.json"
NEXT = """
This was a mock endpoint. Yours:
  loadtest run --target http://127.0.0.1:8080/invocations --stairs 2x5/10m --p95 200ms
  loadtest capacity http://127.0.0.1:8080/invocations --threshold 'p95<200ms'    the most it takes
  loadtest init    asks for target, traffic and limit, and writes a job file
  loadtest doctor  looks at this machine"""


@click.command(name="demo")
@click.option("--show", is_flag=True, help="Print the job file that would be run, and run nothing.")
@click.option("--output-dir", type=click.Path(file_okay=False), help="The run folder.  [default: one in runs/]")
@click.option("--quiet", is_flag=True, help="Print nothing while it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of text.")
@click.pass_context
def command(ctx: click.Context, /, show: bool, **given: Any) -> None:
    """Load a mock endpoint with eight stairs of one user, for half a minute, and find where it levels out.

    Exit codes as of `loadtest run`.
    """
    job = files("loadtest.cli") / JOB
    if show:
        click.echo(job.read_text(encoding="utf-8"), nl=False)
        return
    with as_file(job) as path:
        try:
            ctx.invoke(run, file=str(path), **given)
        except SystemExit as end:
            if not end.code and not given["as_json"]:
                click.echo(NEXT)
            raise
