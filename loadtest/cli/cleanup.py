"""`loadtest cleanup`: removes what runs left in an AWS account, by their journals or by a job's tag."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from loadtest.cli.account_flags import account_flags, account_options
from loadtest.errors import LoadtestError, Problem, SpecError

__all__ = ["command"]

LONGEST_S = 1800.0


@click.command(name="cleanup")
@click.option("--journal", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Of this journal alone.")
@click.option("--tag", metavar="JOB", help="What bears the tag loadtest:job with this value, journal or not.")
@click.option("--yes", is_flag=True, help="Remove it; without, only list it.")
@account_flags
def command(journal: Path | None, tag: str | None, yes: bool, **given: Any) -> None:
    """Remove endpoints, their configurations and models that `loadtest recommend --deploy` left behind.

    Without --journal and --tag, of every journal in the user's state directory. May be done again.
    """
    if journal is not None and tag is not None:
        raise SpecError([Problem("--tag", tag, "cannot be with --journal", "give one of them")])
    options = account_options(given)
    left = _by_journals(journal, options, yes) if tag is None else _by_tag(tag, options, yes)
    raise SystemExit(1 if left else 0)


def _by_tag(tag: str, options: Mapping[str, Any], yes: bool) -> int:
    from loadtest.aws.clients import Clients
    from loadtest.aws.removal import tagged

    things = list(tagged(Clients(options), tag))
    return sum(1 for _ in _removed(things, options, yes)) if _listed(things, yes) else 0


def _by_journals(journal: Path | None, options: Mapping[str, Any], yes: bool) -> int:
    from loadtest.aws.journal import journal_dir, open_journals, read_journal

    found = [read_journal(journal)] if journal is not None else list(open_journals(journal_dir()))
    left = 0
    for each in found:
        if each.running:
            click.echo(f"{each.path}: a run still uses it; end that first", err=True)
            left += 1
            continue
        click.echo(f"{each.path}:")
        if not _listed(each.left, yes):
            if yes:
                each.path.unlink(missing_ok=True)
            continue
        remain = list(_removed(each.left, options, yes))
        left += len(remain)
        if yes and not remain:
            each.path.unlink(missing_ok=True)
    if not found:
        click.echo("no journal is open: nothing is known to be left")
    return left


def _listed(things: Any, yes: bool) -> bool:
    """Says what there is; False: nothing."""
    for thing in things:
        click.echo(f"  {thing.kind} {thing.name} in {thing.region}, of {thing.job}")
    if not things:
        click.echo("  nothing is left")
    elif not yes:
        click.echo("nothing was removed: give --yes")
    return bool(things)


def _removed(things: Any, options: Mapping[str, Any], yes: bool) -> Iterator[Any]:
    """Removes them; what could not be. Without `yes` it does nothing, which leaves nothing to complain about."""
    from loadtest.aws.clients import Clients
    from loadtest.aws.removal import remove

    if not yes:
        return
    clients: dict[tuple[str, str | None], Clients] = {}
    until_s = time.monotonic() + LONGEST_S

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return time.monotonic() < until_s

    for thing in things:
        place = (thing.region, thing.endpoint_url)
        try:
            if place not in clients:
                told = {"region": thing.region, "endpoint_url": thing.endpoint_url}
                clients[place] = Clients({**{n: v for n, v in told.items() if v}, **options})
            remove(clients[place], thing, wait)
            click.echo(f"  removed {thing.kind} {thing.name}")
        except LoadtestError as problem:
            click.echo(f"  {problem}", err=True)
            yield thing
