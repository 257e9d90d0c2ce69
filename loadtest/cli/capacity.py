"""`loadtest capacity`: the largest load that meets the objective, searched for, with an interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

import click

import loadtest.api as api
from loadtest.capacity_api import is_target, target_job
from loadtest.cli.duration import DURATION
from loadtest.cli.existing import existing_flags
from loadtest.cli.export_flags import export_flags
from loadtest.cli.file_flags import file_flags, permissions
from loadtest.cli.open_loop import DEFAULT_SHARE, PERCENT, RATE
from loadtest.cli.run import plan_of, run_plan
from loadtest.cli.run_flags import run_flags, screen_flags
from loadtest.cli.share import PART
from loadtest.cli.target_flags import target_flags
from loadtest.cli.web import web_flag
from loadtest.cli.worker_flags import worker_flags
from loadtest.core.request.search import By
from loadtest.core.request.spec import Profile
from loadtest.jobfile.objective import search_of
from loadtest.jobfile.search_wish import SearchWish

__all__ = ["command"]

# What `loadtest run` has flags for and a search has no use for.
_UNUSED = ("endpoint_name", "rate", "duration", "arrivals", "max_in_flight", "repeat", "against", "margin")


@click.command(name="capacity")
@click.argument("what", metavar="FILE|TARGET")
@click.option("--threshold", "texts", multiple=True, help="What must hold: p95<200ms, error_rate<1%. All of them must.")
@click.option("--by", type=click.Choice(get_args(By)), help="Load as users, or as requests a second.  [default: users]")
@click.option("--within", type=PART, help="Relative width of the interval that is sought.  [default: 5%]")
@click.option("--confidence", type=PART, help="That the interval holds the capacity.  [default: 95%]")
@click.option("--budget", "budget_s", type=DURATION, help="Of time.  [default: 10m]")
@click.option("--max-users", type=click.IntRange(1, 100_000), help="The most users.  [default: 1000]")
@click.option("--max-rate", type=RATE, help="The highest rate, such as 500/s; with --by rate.  [default: 10000/s]")
@click.option("--target", help="What to load instead of what the FILE says.")
@click.option(
    "--confirm",
    type=PERCENT,
    is_flag=False,
    flag_value=DEFAULT_SHARE,
    help="Then send this share of the rate that was found as an open workload.  [80 if no PERCENT is given]",
)
@click.option("--confirm-for", type=DURATION, help="How long --confirm lasts.  [default: 30s]")
@run_flags
@click.option("--summary-markdown", type=click.Path(dir_okay=False, path_type=Path), help="Append Markdown there.")
@screen_flags
@web_flag
@file_flags
@worker_flags
@export_flags
@existing_flags
@target_flags
def command(what: str, profile: str, **given: Any) -> None:
    """Find the largest load of a job FILE's endpoint, or of a bare TARGET, that meets the objective, with an interval.

    The objective is the FILE's latency threshold and error budget, and every --threshold. The job's own traffic is not
    sent.

    Exit codes: 0 found, 1 the run failed, 2 wrong usage, 3 undecided, and why is said, 99 --confirm did not hold,
    130 stopped on request: the interval so far is printed.
    """
    texts, by = given.pop("texts"), given.pop("by")
    wish = SearchWish(
        texts=texts,
        by=by,
        **{name: given.pop(name) for name in ("within", "confidence", "budget_s", "max_users", "max_rate")},
    )
    job = _job(what, cast(Profile, profile), given)
    given |= dict.fromkeys(_UNUSED) | {"thresholds": (), "gate": True, "strict": False, "locust_csv": False}
    given |= {"log_requests": None, "rate_window_s": None}
    plan = plan_of(job, given, search_of(job.spec, job.scenario, wish))
    raise SystemExit(run_plan(plan, job, given))


def _job(what: str, profile: Profile, given: dict[str, Any]) -> api.ReadJob:
    """The job of a file, or one that stands for a bare target. Raises SpecError with every problem."""
    if is_target(what):
        return target_job(what, profile)
    return api.read_job(what, profile=profile, **permissions(given))
