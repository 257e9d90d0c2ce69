"""`loadtest run` on an endpoint that exists: what it is before, meanwhile and after, and what a run would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from loadtest.cli.attend import attended
from loadtest.cli.duration import DURATION_OR_NONE
from loadtest.cli.finishing import Finishing
from loadtest.core.judge.slow import SlowRequests, slow_after_scaling
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import TrafficCurve
from loadtest.core.traffic.plan import Plan
from loadtest.report.existing import endpoint_words
from loadtest.report.words import duration, number, plural

__all__ = ["Existing", "cloudwatch_flags", "dry_run", "dry_run_flag", "existing_flags", "looked_at"]

Command = TypeVar("Command", bound=Callable[..., Any])
_PRICED_MS = (10, 100, 1000)  # latencies that a closed loop's requests are estimated for


def existing_flags(command: Command) -> Command:
    """Decorator: adds --no-inspect, --no-cloudwatch and --cloudwatch-wait."""
    text = "Do not ask AWS what the endpoint is, and send no warm-up request."
    return click.option("--no-inspect", is_flag=True, help=text)(cloudwatch_flags(command))


def cloudwatch_flags(command: Command) -> Command:
    """Decorator: adds --no-cloudwatch and --cloudwatch-wait."""
    text = "How long CloudWatch's last points are waited for after a run; 0: not at all.  [default: 3m]"
    command = click.option("--cloudwatch-wait", "cloudwatch_wait_s", type=DURATION_OR_NONE, help=text)(command)
    text = "Do not ask CloudWatch for the endpoint's own figures, nor for its log lines of minutes with errors."
    return click.option("--no-cloudwatch", is_flag=True, help=text)(command)


def dry_run_flag(command: Command) -> Command:
    """Decorator: adds --dry-run."""
    text = "Show users, requests, hours and price of the run, and send no invocation."
    return click.option("--dry-run", is_flag=True, help=text)(command)


@dataclass(slots=True)
class Existing:
    """The endpoint that a run loads. found: None: it was not asked for. place: of its metrics; None: nobody asks.

    wait_s: how long the last points of CloudWatch are waited for. say: told about that, after the run.
    """

    found: dict[str, Any] | None = None
    clients: Any = None
    place: Any = None
    wait_s: float | None = None
    say: Callable[[str], None] = lambda text: None
    _told: Any = None  # of the run that goes on, or was the last

    @property
    def lines(self) -> list[str]:
        return [] if self.found is None else list(endpoint_words(self.found))

    @contextmanager
    def watched(self, say: Callable[[str], None], keep: Callable[[str, Any], object]) -> Iterator[None]:
        """While the block runs, CloudWatch is asked, and the instances of an endpoint that scales are counted.

        keep: writes a file of the run's folder.
        """
        with ExitStack() as stack:
            if self.place is not None:
                from loadtest.aws.telemetry import WAIT_S, Telemetry

                wait_s = WAIT_S if self.wait_s is None else self.wait_s
                told = Telemetry(self.clients, self.place, say=say, keep=keep, wait_s=wait_s)
                self._told = stack.enter_context(told)
            stack.enter_context(self._counted(say))
            yield

    @contextmanager
    def _counted(self, say: Callable[[str], None]) -> Iterator[None]:
        from loadtest.aws.counting import InstanceWatch
        from loadtest.aws.endpoint import scales

        if self.found is None or not scales(self.found):
            yield
            return
        counts = {each["name"]: each["instance_count"] for each in self.found["variants"] if each["instance_count"]}
        watch = InstanceWatch(self.clients, self.found["name"], counts, say)
        with watch:
            yield
        self.found |= {"watched": True, "changes": watch.seen, "not_watched": watch.lost}

    def completed(self, result: RunResult) -> RunResult:
        """The result, with what the endpoint did meanwhile; a change of its instances is a problem of the run's."""
        if self.found is None:
            return result
        result = replace(result, info={**result.info, "existing_endpoint": dict(self.found)})
        if self._told is not None:
            result = attended(Finishing(self._told, result, self.say), self._hurried)
        if not self.found.get("changes"):
            return result
        problem = "the endpoint's instances changed during the run: figures before and after are of different endpoints"
        return replace(result, problems=(*result.problems, problem), slow=self._slow(result))

    def _hurried(self, text: str) -> None:
        self.say("going on without what CloudWatch has not told yet")

    def _slow(self, result: RunResult) -> SlowRequests | None:
        """With the cold starts of instances that came while it ran."""
        from loadtest.aws.counting import PERIOD_S

        assert self.found is not None
        if result.slow is None or result.started_at is None:
            return result.slow
        more = [each["at"] - result.started_at for each in self.found["changes"] if each["to"] > each["from"]]
        return slow_after_scaling(result.slow, result.plan, result.windows, more, PERIOD_S)


def looked_at(plan: Plan, given: Mapping[str, Any], *, warm: bool = True) -> Existing:
    """What AWS says of the plan's endpoint, after one invocation. Raises TargetError if it cannot be loaded."""
    if plan.target.scheme not in ("sagemaker", "boto3") or given["no_inspect"]:
        return Existing()
    from loadtest.aws.clients import Clients
    from loadtest.aws.endpoint import inspect_endpoint
    from loadtest.aws.metrics import place_of
    from loadtest.aws.warmup import warm_up
    from loadtest.payload.payload import load_payloads
    from loadtest.payload.s3 import local_payload

    options = plan.target.options
    clients = Clients(options)
    found = inspect_endpoint(clients, plan.target.rest)
    if warm:
        with local_payload(plan.payload, options) as source:
            first = load_payloads(source).items[0]
        found["warm_up"] = warm_up(clients, plan.target.rest, first.body, first.content_type, options)
    limits_ms = [] if plan.threshold is None else [float(plan.threshold.limit_ms)]
    limits_ms += [each.limit for each in given["thresholds"] if each.metric == "latency"]
    place = place_of(found, options, list(dict.fromkeys(limits_ms)))
    say: Callable[[str], None] = lambda text: click.echo(f"cloudwatch: {text}", err=True)  # noqa: E731
    return Existing(
        found,
        clients,
        place=None if given["no_cloudwatch"] else place,
        wait_s=given["cloudwatch_wait_s"],
        say=(lambda text: None) if given["quiet"] else say,
    )


def dry_run(plan: Plan, given: Mapping[str, Any]) -> Iterator[str]:
    """What the run would be, in lines. The endpoint is described, not invoked."""
    existing = looked_at(plan, given, warm=False)
    yield f"target   {plan.target.ref}"
    yield from (f"endpoint {line}" for line in existing.lines)
    yield f"length   {duration(plan.end_s)} at most, and up to {duration(plan.options.drain_s)} for what is in flight"
    if plan.arrivals is not None:
        requests = plan.arrivals.rate_per_s * min(plan.arrivals.duration_s, plan.end_s)
        yield f"requests about {number(requests)}, at most {plan.curve.peak:,} at once"
    else:
        yield f"users    {plan.curve.peak:,} at most"
        seconds = _user_seconds(plan.curve, plan.end_s)
        guesses = (f"{number(seconds * 1000 / ms)} if each took {ms} ms" for ms in _PRICED_MS)
        yield f"requests not known before: each user waits for its answer; {', '.join(guesses)}"
        if plan.stop.max_invocations_per_min is not None:
            rate = plan.stop.max_invocations_per_min
            yield f"         the run ends when {number(rate)} a minute succeed"
    hours = (plan.end_s + plan.options.drain_s) / 3600
    yield f"hours    {hours:.3f} at most"
    if existing.found is not None and existing.found.get("variants"):
        from loadtest.aws.cost import cost_lines, known_prices

        for line in cost_lines(existing.found, hours, known_prices(existing.clients.region)):
            yield f"price    {line}"
        yield "         an estimate; instances that are there cost the same without a run"
    else:
        yield "price    not known: what the target runs on was not told"
    yield f"nothing was sent to the endpoint ({plural(0, 'invocation')})"


def _user_seconds(curve: TrafficCurve, end_s: float) -> float:
    """Planned users, summed over time."""
    times = [*(step.at_s for step in curve.steps), min(curve.end_s, end_s)]
    return sum(step.users * max(0.0, until - step.at_s) for step, until in zip(curve.steps, times[1:], strict=True))
