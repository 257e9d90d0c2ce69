"""`loadtest cleanup`: removes what runs left in an AWS account, by their journals or by a job's tag."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.account_flags import account_flags, account_options
from loadtest.errors import LoadtestError, Problem, SpecError

if TYPE_CHECKING:
    from loadtest.aws.journal import Made, OpenJournal

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
    if problems := list(_elsewhere(found, options)):
        raise SpecError(problems)
    left = sum(_of_journal(each, options, yes) for each in found)
    if not found:
        click.echo("no journal is open: nothing is known to be left")
    return left


def _elsewhere(journals: Iterable[OpenJournal], options: Mapping[str, Any]) -> Iterator[Problem]:
    """Asked elsewhere than the journal says, AWS would answer that there is no such thing, which is as good as gone."""
    for journal in journals:
        places = {(thing.region, thing.endpoint_url) for thing in journal.left}
        for name, flag, at in (("region", "--region", 0), ("endpoint_url", "--endpoint-url", 1)):
            there = {str(place[at] or "AWS's own") for place in places}
            if name in options and there - {options[name]}:
                rule = f"is not where {journal.path} says that things are: {', '.join(sorted(there))}"
                yield Problem(flag, str(options[name]), rule, "leave it out")


def _of_journal(journal: OpenJournal, options: Mapping[str, Any], yes: bool) -> int:
    """How many things could not be removed. With `yes` a journal of which all is gone is deleted."""
    if journal.running:
        click.echo(f"{journal.path}: a run still uses it; end that first", err=True)
        return 1
    click.echo(f"{journal.path}:")
    remain: list[Any] = []
    if _listed(journal.left, yes) and yes:
        if wrong := _wrong_account(journal, options):
            click.echo(f"  nothing was removed: {wrong}", err=True)
            return len(journal.left)
        remain = list(_removed(journal.left, options, yes))
    if yes and not remain and journal.path.stat().st_size:
        journal.path.unlink(missing_ok=True)
    return len(remain)


def _wrong_account(journal: OpenJournal, options: Mapping[str, Any]) -> str:
    """Why nothing can be removed with these credentials: there, nothing of it would be found. "": no reason."""
    from loadtest.aws.clients import Clients

    if journal.account is None:
        return ""
    account = Clients(_asked_at(journal.left[0], options)).account()
    if account in (None, journal.account):
        return ""
    return f"it was made in the account {journal.account}, and these are credentials of {account}; give --aws-profile"


def _asked_at(thing: Made, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the account, where the thing is."""
    told = {"region": thing.region, "endpoint_url": thing.endpoint_url}
    return {**{name: value for name, value in told.items() if value}, **options}


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
                clients[place] = Clients(_asked_at(thing, options))
            remove(clients[place], thing, wait)
            click.echo(f"  removed {thing.kind} {thing.name}")
        except LoadtestError as problem:
            click.echo(f"  {problem}", err=True)
            yield thing
