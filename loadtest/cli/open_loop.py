"""The flags of an open workload: `--rate` in place of a job's users, `--confirm` after them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import click

from loadtest.cli.duration import DURATION
from loadtest.core.traffic.arrivals import MOST_IN_FLIGHT, Arrivals, Law
from loadtest.core.traffic.plan import Plan, open_plan
from loadtest.errors import Problem, SpecError

__all__ = ["PERCENT", "RATE", "Confirm", "arrivals_of", "confirm_of", "open_loop_flags", "replay_plan"]

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_DURATION_S = 60.0
DEFAULT_SHARE = "80"
DEFAULT_CONFIRM_S = 30.0
_PER_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)/(s|min|m|h)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%?")


class _Rate(click.ParamType):  # type: ignore[type-arg]
    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Requests per second. A bare number is refused: the API counts by the minute, other tools by the second."""
        if isinstance(value, float):
            return value
        match = _RATE.fullmatch(str(value).strip().lower())
        rate_per_s = float(match[1]) / _PER_S[match[2]] if match else 0.0
        if not 0 < rate_per_s <= 1_000_000:
            self.fail(f"{value!r} is not a rate; write 500/s, 3000/m or 0.5/s", param, ctx)
        return rate_per_s


class _Percent(click.ParamType):  # type: ignore[type-arg]
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A share, above 0 and at most 2: more than the found rate may be asked for."""
        if isinstance(value, float):
            return value
        match = _PERCENT.fullmatch(str(value).strip())
        share = float(match[1]) / 100 if match else math.nan
        if not 0 < share <= 2:
            self.fail(
                f"{value!r} is not a percentage above 0 and at most 200; write --confirm=80 (or --confirm last)",
                param,
                ctx,
            )
        return share


RATE, PERCENT = _Rate(), _Percent()


@dataclass(frozen=True, slots=True)
class Confirm:
    """What --confirm asks for. share: of the best rate; duration_s, law: of the replay; in_flight_limit: or None."""

    share: float
    duration_s: float
    law: Law
    in_flight_limit: int | None


def open_loop_flags(command: Command) -> Command:
    """Decorator: adds the flags; `arrivals_of` and `confirm_of` read them."""
    options = (
        click.option(
            "--rate", type=RATE, help="Open workload: send 500/s or 3000/m, whatever is unanswered, no users."
        ),
        click.option("--duration", type=DURATION, help="How long --rate lasts.  [default: 60s]"),
        click.option(
            "--arrivals", type=click.Choice(get_args(Law)), help="Law of --rate, --confirm.  [default: constant]"
        ),
        click.option(
            "--max-in-flight",
            type=click.IntRange(1, 100_000),
            help=f"Of --rate, --confirm; one more is dropped.  [default: 10 s of arrivals, at most {MOST_IN_FLIGHT}]",
        ),
        click.option(
            "--confirm",
            type=PERCENT,
            is_flag=False,
            flag_value=DEFAULT_SHARE,
            help="After the job, replay this share of its best rate as an open workload.  [80 if no PERCENT is given]",
        ),
        click.option("--confirm-for", type=DURATION, help="How long --confirm lasts.  [default: 30s]"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def arrivals_of(given: Mapping[str, Any], seed: int) -> Arrivals | None:
    """The open workload that --rate asks for; None: it was not given. Raises SpecError for flags that do not agree."""
    _check(given)
    if given["rate"] is None:
        return None
    return Arrivals(given["rate"], given["duration"] or DEFAULT_DURATION_S, given["arrivals"] or "constant", seed)


def confirm_of(given: Mapping[str, Any]) -> Confirm | None:
    """What --confirm asks for; None: it was not given."""
    if given["confirm"] is None:
        return None
    duration_s = given["confirm_for"] or DEFAULT_CONFIRM_S
    return Confirm(given["confirm"], duration_s, given["arrivals"] or "constant", given["max_in_flight"])


def replay_plan(plan: Plan, confirm: Confirm, found_per_min: float) -> Plan:
    """The replay of a share of the rate that `plan` found. Its goal and the job's time limit have had their turn."""
    arrivals = Arrivals(found_per_min / 60 * confirm.share, confirm.duration_s, confirm.law, plan.options.seed)
    goalless = replace(plan, stop=replace(plan.stop, max_invocations_per_min=None), limit_s=None, search=None)
    return open_plan(goalless, arrivals, confirm.in_flight_limit)


def _check(given: Mapping[str, Any]) -> None:
    rate, confirm = given["rate"] is not None, given["confirm"] is not None
    problems = []
    if rate and confirm:
        problems.append(Problem("--confirm", "", "--rate is an open workload already", "give one of them"))
    if given["duration"] is not None and not rate:
        problems.append(Problem("--duration", "", "only --rate has it", "the job's own traffic ends by itself"))
    if given["confirm_for"] is not None and not confirm:
        problems.append(Problem("--confirm-for", "", "only --confirm has it"))
    for name in ("arrivals", "max_in_flight"):
        if given[name] is not None and not (rate or confirm):
            problems.append(
                Problem(f"--{name.replace('_', '-')}", str(given[name]), "only --rate and --confirm have it")
            )
    if problems:
        raise SpecError(problems)
