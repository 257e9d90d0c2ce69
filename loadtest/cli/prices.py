"""`loadtest prices`: what is known of prices, with source and date, and how to have it renewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from loadtest.errors import Problem, SpecError
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.prices import Prices
from loadtest.jobs.pricing import fetch_prices, updated_file

__all__ = ["command"]


@click.command("prices")
@click.argument("types", nargs=-1)
@click.option(
    "--prices",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check and show a price file.",
)
@click.option("--update", is_flag=True, help="Ask AWS's Pricing API, and keep what it says in the cache directory.")
@click.option("--region", help="Of the prices.  [default: us-east-1]")
@click.option("--endpoint-url", help="With --update: address of the Pricing API instead of AWS's own.")
@click.option("--aws-profile", help="With --update: profile of the AWS configuration that holds the credentials.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    types: tuple[str, ...],
    file: Path | None,
    update: bool,
    region: str | None,
    endpoint_url: str | None,
    aws_profile: str | None,
    as_json: bool,
) -> None:
    """Show what an hour of an instance costs, in USD: of all that are known, or of the instance TYPES.

    They are list prices, on demand. Without --update nobody is asked.
    """
    if problems := [*_idle(file, update, region=region, endpoint_url=endpoint_url, aws_profile=aws_profile)]:
        raise SpecError(problems)
    region = region or "us-east-1"
    if update:
        count = len(fetch_prices(region, endpoint_url, aws_profile))
        click.echo(f"{count} prices of {region} kept in {updated_file(region)}", err=True)
    prices = Prices.known(Catalogue.built_in(), region) if file is None else Prices.load(file)
    shown = {name: usd for name, usd in sorted(prices.per_hour_usd.items()) if not types or name in types}
    if as_json:
        rows = {name: {"usd_per_hour": usd, "source": prices.source_of(name)} for name, usd in shown.items()}
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("instance type", "USD/hour", "source", box=None, pad_edge=False, header_style="bold")
    for name, usd in shown.items():
        table.add_row(name, f"{usd:g}", prices.source_of(name))
    Console().print(table)
    if prices.serverless_gb_second_usd is not None and not types:
        click.echo(f"serverless: {prices.serverless_gb_second_usd:g} USD for a GB second, {prices.source_of('')}")
    for name in (name for name in types if name not in shown):
        where = region if file is None else str(file)
        click.echo(f"{name}: no price is known ({where})", err=True)


def _idle(file: Path | None, update: bool, **asked: str | None) -> Iterator[Problem]:
    """Options that could do nothing."""
    if file is not None and update:
        yield Problem("--update", "", "cannot be with --prices", "give one of them")
    if file is not None and asked["region"]:
        yield Problem("--region", asked["region"], "means nothing with --prices", "leave it out")
    for name in ("endpoint_url", "aws_profile"):
        if asked[name] and not update:
            flag = f"--{name.replace('_', '-')}"
            yield Problem(flag, asked[name] or "", "means nothing without --update", "give --update too")
