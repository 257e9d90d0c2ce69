"""The flags of `loadtest recommend` that make its endpoints in an AWS account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from loadtest.errors import Problem, SpecError

__all__ = ["Deploying", "deploy_flags", "deployed"]

Command = TypeVar("Command", bound=Callable[..., Any])


def deploy_flags(command: Command) -> Command:
    """Decorator: adds --deploy and what belongs to it."""
    text = "Start although a journal says that an earlier run left something in an account."
    command = click.option("--despite-journal", is_flag=True, help=text)(command)
    text = "Where it is kept what was made, until it is gone.  [default: one in the user's state directory]"
    command = click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help=text)(command)
    text = "With --deploy: everything ends before the endpoints cost more, by list prices."
    command = click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="USD", help=text)(command)
    command = click.option("--role", help="Execution role (ARN) of the models.  [default: the job's RoleArn]")(command)
    command = click.option("--yes", is_flag=True, help="With --deploy: make them; without, say what would be made.")(
        command
    )
    text = "Make each test's endpoint in your AWS account, test it and delete it: this costs money. See docs/aws.md."
    return click.option("--deploy", is_flag=True, help=text)(command)


@dataclass(slots=True)
class Deploying:
    """What --deploy adds to a job. choices: for `loadtest.recommendation.job.start`. cut_short: the budget ended tests,
    or let none begin; known when `deployed` has been left.
    """

    choices: dict[str, Any] = field(default_factory=dict)
    cut_short: bool = False


@contextmanager
def deployed(
    file: str, given: dict[str, Any], options: Mapping[str, Any], say: Callable[[str], None]
) -> Iterator[Deploying]:
    """What --deploy adds to a job; nothing without it. Takes its own flags out of `given`.

    options: of the account, and of the targets. Raises SpecError, or exits with 2 after the plan if --yes is missing.
    """
    names = ("deploy", "yes", "role", "budget", "journal", "despite_journal")
    own = {name: given.pop(name) for name in names}
    if not own["deploy"]:
        alone = [name for name in names[1:] if own[name]]
        if alone:
            flag = f"--{alone[0].replace('_', '-')}"
            raise SpecError([Problem(flag, str(own[alone[0]]), "means nothing without --deploy", "give --deploy too")])
        yield Deploying()
        return
    from loadtest.aws.budget import Budget
    from loadtest.aws.clients import Clients
    from loadtest.aws.cost import known_prices
    from loadtest.aws.deploy import Deployment
    from loadtest.aws.directory import AccountEndpoints
    from loadtest.aws.journal import Journal, journal_dir
    from loadtest.aws.models import AccountModels
    from loadtest.cli.deploy_plan import check_journals, planned
    from loadtest.jobs.prices import Prices

    clients = Clients(options)
    models = AccountModels(clients, say)
    prices = Prices.load(given["prices"]) if given["prices"] else known_prices(clients.region)
    spec, plan = planned(file, own, given, models, prices, clients.region)
    if not own["yes"]:
        click.echo("\n".join([*plan, "nothing was made: give --yes"]))
        raise SystemExit(2)
    for line in plan:
        say(line)
    number = f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**6}"
    path = own["journal"] or journal_dir() / f"{spec.name}-{number}.jsonl"
    check_journals({journal_dir(), path.parent}, own["despite_journal"])
    journal = Journal(path, clients.account())
    say(f"journal: {path}")
    try:
        budget = Budget(own["budget"])
        with budget.watched():
            provider = Deployment(clients, journal, budget, prices, role=own["role"], options=options)
            asked = {"directory": AccountEndpoints(clients), "model_reader": models, "region": clients.region}
            deploying = Deploying({"provider": provider, **asked})
            yield deploying
            deploying.cut_short = budget.cut_short
            if budget.cut_short:
                ended = "tests ended before their time, or did not begin"
                click.echo(f"the budget of {budget.usd:g} USD was used up: {ended}", err=True)
            say(f"endpoints cost about {budget.spent_usd:.4f} USD (list prices, from creation to deletion)")
    finally:
        if not journal.close():
            click.echo(f"something is left in the account: loadtest cleanup --journal {path} --yes", err=True)
