"""`loadtest doctor`: is this machine fit for a run, and what to do where it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.doctor.aws import aws
from loadtest.doctor.finding import Finding
from loadtest.doctor.installation import engine, parts
from loadtest.doctor.machine import machine

__all__ = ["command"]

_STYLES = {"good": "green", "note": "yellow", "bad": "bold red"}


@click.command(name="doctor")
@click.option("--aws", "reach", is_flag=True, help="Ask AWS's runtime API whether it answers: one unsigned request.")
@click.option("--aws-profile", help="Profile of the AWS configuration.")
@click.option("--region", help="AWS region.")
@click.option("--no-run", is_flag=True, help="Leave out the run of one second against the mock endpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(
    ctx: click.Context, /, reach: bool, aws_profile: str | None, region: str | None, no_run: bool, as_json: bool
) -> None:
    """Look at this machine and installation, and say what a run would suffer from.

    Nothing is sent off this machine unless --aws asks for it, and no credential is shown or tried. Exit code 0 if a run
    works here, 1 if something is bad.
    """
    findings = list(_findings(reach, aws_profile, region, no_run))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        Console().print(_table(findings))
    ctx.exit(1 if any(finding.state == "bad" for finding in findings) else 0)


def _findings(reach: bool, profile: str | None, region: str | None, no_run: bool) -> Iterator[Finding]:
    yield from machine()
    yield from parts()
    yield from aws(profile, region, reach=reach)
    if not no_run:
        yield engine()


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        said = Text(finding.found)
        if finding.advice:
            said.append(f"\n-> {finding.advice}", style="dim")
        table.add_row(Text(finding.state, style=_STYLES[finding.state]), finding.topic, said)
    return table
