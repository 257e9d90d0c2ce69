"""Endpoints of AWS for the tests of a job: made, waited for, and deleted again, whatever happens.

Everything is in the journal before it is made. What cannot be deleted stays in it, and the test says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from loadtest.aws.budget import Budget, hourly_usd, no_price
from loadtest.aws.clients import UNANSWERED, Clients, aws_words, status_of
from loadtest.aws.journal import Journal, Made
from loadtest.aws.removal import remove
from loadtest.aws.requests import config_request, endpoint_request, model_request
from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import LoadtestError, TargetError
from loadtest.jobs.prices import Prices
from loadtest.jobs.provision import OpenEndpoint, Wanted

__all__ = ["Deployment"]

POLL_S = 5.0
SAID_S = 60.0  # between two lines of the same status
LONGEST_S = 3600.0  # AWS itself gives up on a container sooner


class Deployment:
    """A Provider (loadtest.jobs.provision). Thread-safe.

    role: ExecutionRoleArn of the models; None: the job's. options: of the targets: region, profile, endpoint_url.
    poll_s: between two looks at an endpoint.
    """

    def __init__(
        self,
        clients: Clients,
        journal: Journal,
        budget: Budget,
        prices: Prices,
        *,
        role: str | None = None,
        options: Mapping[str, Any] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._clients, self._journal, self._budget, self._prices = clients, journal, budget, prices
        self._role = role
        self._options = dict(options or {})
        self._poll_s = poll_s

    @contextmanager
    def provide(self, wanted: Wanted, /) -> Iterator[OpenEndpoint]:
        """An endpoint of its own for a configuration; one that exists is left as it is."""
        name = wanted.subject.endpoint_name
        target = TargetRef(f"sagemaker:{name}", self._options)
        if wanted.test.configuration is None:
            yield OpenEndpoint(wanted.subject, target, instances=wanted.subject.instance_count)
            return
        usd = hourly_usd(wanted.test.configuration, self._prices)
        if usd is None:
            raise TargetError(no_price([wanted.test.configuration], self._clients.region))
        self._budget.begin(name, usd, lambda: self._used_up(wanted))
        made: list[Made] = []
        failure: BaseException | None = None
        try:
            self._make(wanted, made)
            self._in_service(wanted)
            accepted = wanted.subject.variants[0].facts.response_types[:1]
            target = replace(target, options={**self._options, **({"accept": accepted[0]} if accepted else {})})
            yield OpenEndpoint(wanted.subject, target, info={"deployed": _told(made)})
        except BaseException as problem:
            failure = problem
        left = self._unmake(wanted, made)
        if not any(thing.kind == "endpoint" for thing, _ in left):
            self._budget.end(name)
        if left:
            why = "; ".join(text for _, text in left)
            text = f"{why}; `loadtest cleanup --journal {self._journal.path}` removes what is left"
            if failure is None or isinstance(failure, LoadtestError):
                raise TargetError(f"{failure}; {text}" if failure else text) from failure
            wanted.say(text)
        if failure is not None:
            raise failure

    def _used_up(self, wanted: Wanted) -> None:
        wanted.say(f"the budget of {self._budget.usd:g} USD is used up: every test ends, every endpoint is deleted")
        wanted.signal.ask()

    def _make(self, wanted: Wanted, made: list[Made]) -> None:
        sagemaker = self._clients.client()
        known = None
        if wanted.spec.model_package_arn is None:
            try:
                known = sagemaker.describe_model(ModelName=wanted.spec.model_name)
            except UNANSWERED as problem:
                raise TargetError(aws_words(problem)) from problem
        model = model_request(wanted, self._role or wanted.spec.role_arn, known)
        steps: tuple[tuple[str, str, Callable[..., Any], dict[str, Any]], ...] = (
            ("model", "ModelName", sagemaker.create_model, model),
            ("endpoint-config", "EndpointConfigName", sagemaker.create_endpoint_config, config_request(wanted)),
            ("endpoint", "EndpointName", sagemaker.create_endpoint, endpoint_request(wanted)),
        )
        for kind, member, create, request in steps:
            if wanted.signal.asked:
                raise TargetError("the job was stopped before its endpoint was made")
            thing = Made(kind, request[member], wanted.job_name, self._clients.region, self._clients.endpoint_url)
            self._journal.creating(thing)
            made.append(thing)
            if kind == "endpoint":
                self._budget.created(thing.name)
            try:
                create(**request)
            except UNANSWERED as problem:
                if _already(problem):  # an answer was lost, the call was sent again; the name is nobody else's
                    continue
                if _surely_not(problem):
                    made.remove(thing)
                    self._journal.gone(thing)
                raise TargetError(aws_words(problem)) from problem

    def _in_service(self, wanted: Wanted) -> None:
        """Wait for the endpoint, and tell how it comes along. Raises TargetError with its FailureReason."""
        woken = threading.Event()
        name, began_s, said = wanted.subject.endpoint_name, time.monotonic(), ("", 0.0)
        with wanted.signal.heard_by(woken.set, woken.set):
            while True:
                try:
                    told = self._clients.client().describe_endpoint(EndpointName=name)
                except UNANSWERED as problem:
                    raise TargetError(aws_words(problem)) from problem
                status, waited_s = str(told["EndpointStatus"]), time.monotonic() - began_s
                if status == "InService":
                    wanted.say(f"endpoint {name} is in service after {waited_s:.0f} s")
                    return
                if status not in ("Creating", "Updating", "SystemUpdating"):
                    raise TargetError(
                        f"the endpoint {name} is {status}: {told.get('FailureReason') or 'no reason given'}"
                    )
                if waited_s > LONGEST_S:
                    raise TargetError(f"the endpoint {name} is {status} after {waited_s:.0f} s")
                if status != said[0] or waited_s - said[1] >= SAID_S:
                    wanted.say(f"endpoint {name} is {status}, {waited_s:.0f} s so far")
                    said = (status, waited_s)
                if woken.wait(self._poll_s):
                    raise TargetError("the job was stopped while its endpoint was being created")

    def _unmake(self, wanted: Wanted, made: list[Made]) -> list[tuple[Made, str]]:
        """What could not be removed, and why."""
        left = []
        hurried = threading.Event()
        with wanted.signal.heard_by(lambda: None, hurried.set):
            for thing in reversed(made):
                try:
                    remove(self._clients, thing, lambda seconds: not hurried.wait(min(seconds, self._poll_s)))
                except LoadtestError as problem:
                    left.append((thing, str(problem)))
                else:
                    self._journal.gone(thing)
                    wanted.say(f"deleted {thing.kind} {thing.name}")
        return left


def _told(made: list[Made]) -> dict[str, str]:
    return {thing.kind.replace("-", "_"): thing.name for thing in made}


def _already(problem: Exception) -> bool:
    return "already exist" in str(problem).lower()


def _surely_not(problem: Exception) -> bool:
    """AWS refused before it made anything; else an answer may have been lost on its way."""
    return 400 <= status_of(problem) < 500
