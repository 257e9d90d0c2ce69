"""The flags of `loadtest recommend` that make its endpoints in an AWS account, and what is asked before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

import loadtest.api as api
from loadtest.core.request.placeholder import placeholders
from loadtest.core.request.spec import JobSpec
from loadtest.errors import Problem, SpecError

__all__ = ["account_flags", "deploy_flags", "deployed"]

Command = TypeVar("Command", bound=Callable[..., Any])
CREATION_S = 900.0  # that an endpoint may take to come and to go, for the estimate


def account_flags(command: Command) -> Command:
    """Decorator: adds --region, --aws-profile and --endpoint-url, of everything that is asked of an account."""
    command = click.option("--endpoint-url", help="Address of the API instead of AWS's own (an emulator's).")(command)
    command = click.option("--aws-profile", help="Profile of the AWS configuration that holds the credentials.")(
        command
    )
    return click.option("--region", help="AWS region.")(command)


def deploy_flags(command: Command) -> Command:
    """Decorator: adds --deploy and what belongs to it."""
    text = "Start although a journal says that an earlier run left something in an account."
    command = click.option("--despite-journal", is_flag=True, help=text)(account_flags(command))
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


@contextmanager
def deployed(file: str, given: dict[str, Any], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Choices for `loadtest.recommendation.job.start`; {} without --deploy. Takes its own flags out of `given`.

    Raises SpecError, or exits with 2 after the plan if --yes is missing.
    """
    names = ("deploy", "yes", "role", "budget", "journal", "despite_journal", "region", "aws_profile", "endpoint_url")
    own = {name: given.pop(name) for name in names}
    if not own["deploy"]:
        alone = [name for name in names[1:] if own[name]]
        if alone:
            flag = f"--{alone[0].replace('_', '-')}"
            raise SpecError([Problem(flag, str(own[alone[0]]), "means nothing without --deploy", "give --deploy too")])
        yield {}
        return
    from loadtest.aws.budget import Budget
    from loadtest.aws.clients import Clients
    from loadtest.aws.cost import known_prices
    from loadtest.aws.deploy import Deployment
    from loadtest.aws.directory import AccountEndpoints
    from loadtest.aws.journal import Journal, journal_dir
    from loadtest.jobs.prices import Prices

    spec = api.read_job(file, profile=given["profile"]).spec
    _check(own, given, spec)
    options = {"region": own["region"], "profile": own["aws_profile"], "endpoint_url": own["endpoint_url"]}
    options = {name: value for name, value in options.items() if value}
    clients = Clients(options)
    prices = Prices.load(given["prices"]) if given["prices"] else known_prices(clients.region)
    plan = list(_plan(spec, prices, own["budget"], clients.region))
    if not own["yes"]:
        click.echo("\n".join([*plan, "nothing was made: give --yes"]))
        raise SystemExit(2)
    for line in plan:
        say(line)
    number = f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**6}"
    path = own["journal"] or journal_dir() / f"{spec.name}-{number}.jsonl"
    _check_journals({journal_dir(), path.parent}, own["despite_journal"])
    journal = Journal(path)
    say(f"journal: {path}")
    try:
        with Budget(own["budget"]) as budget:
            provider = Deployment(clients, journal, budget, prices, role=own["role"], options=options)
            yield {"provider": provider, "directory": AccountEndpoints(clients)}
            if budget.used_up:
                click.echo(f"the budget of {budget.usd:g} USD was used up: the tests ended before their time", err=True)
            say(f"endpoints cost about {budget.spent_usd:.4f} USD (list prices, from creation to deletion)")
    finally:
        if not journal.close():
            click.echo(f"something is left in the account: loadtest cleanup --journal {path}", err=True)


def _check(own: Mapping[str, Any], given: Mapping[str, Any], spec: JobSpec) -> None:
    problems = []
    if given["mock"] or given["fleet"] or given["engine"] != "live":
        other = "--mock" if given["mock"] else "--fleet" if given["fleet"] else "--engine"
        problems.append(Problem(other, "", "cannot be with --deploy", "give one of them"))
    if own["budget"] is None:
        problems.append(
            Problem("--budget", "", "is missing: endpoints cost money as long as they are there", "give USD")
        )
    made_up = placeholders(spec.request)
    if "RoleArn" in made_up and not own["role"]:
        problems.append(Problem("--role", "", "the job's RoleArn is a stand-in", "give the ARN of an execution role"))
    if not spec.configurations and not spec.endpoints:
        rule, advice = "says on what instances it is to run", "add EndpointConfigurations"
        problems.append(Problem("InputConfig.EndpointConfigurations", "", f"nothing {rule}", advice))
    if problems:
        raise SpecError(problems)


def _plan(spec: JobSpec, prices: Any, budget: float, region: str) -> Iterator[str]:
    from loadtest.aws.budget import hourly_usd
    from loadtest.core.request.spec import RunOptions
    from loadtest.core.traffic.curve import curve_of

    tests = [test for test in spec.tests()[0] if test.configuration is not None]
    traffic_s = 0.0 if spec.traffic is None else curve_of(spec.traffic, RunOptions()).end_s
    yield f"{len(tests)} endpoints, each with a model and a configuration, in {region}:"
    total: float | None = 0.0
    for test in tests:
        assert test.configuration is not None
        usd = hourly_usd(test.configuration, prices)
        total = None if usd is None or total is None else total + usd * (traffic_s + CREATION_S) / 3600
        yield f"  {test.label}: {'no price is known' if usd is None else f'{usd:.4g} USD an hour'}"
    if total is not None:
        each_min = (traffic_s + CREATION_S) / 60
        yield f"about {total:.2f} USD, if each takes {each_min:.0f} min; all ends before {budget:g} USD"


def _check_journals(folders: set[Path], despite: bool) -> None:
    from loadtest.aws.journal import open_journals

    found = [journal for folder in folders for journal in open_journals(folder)]
    if found and not despite:
        advice = "run `loadtest cleanup`, or give --despite-journal"
        rule = "says that {} in an account"
        state = {True: "a run that goes on has something", False: "an earlier run left something"}
        raise SpecError(
            [Problem("journal", str(each.path), rule.format(state[each.running]), advice) for each in found]
        )
