"""For people with a locustfile of their own: the signed fast client as a Locust user, and a job's exact pattern.

    from locust import task
    from loadtest.locustfile import JobShape, SageMakerUser

    class Caller(SageMakerUser):
        target = "sagemaker:my-endpoint"
        payload = "samples.tar.gz"

        @task
        def call(self):
            self.invoke()

    Shape = JobShape("job.json")  # leave it out to choose the users in Locust's own way

Locust is in charge here: its statistics, its web page, its reports, its workers. So there are no verdicts, no stop
conditions and no trust, and latencies keep Locust's two digits: `loadtest run` has those. Locust patches the process
that imports this module; do not import it in a program of yours.
"""

from __future__ import annotations

import contextlib
import logging
import os
from bisect import bisect_right
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import BoundedSemaphore
from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.runners import MasterRunner

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, RunOptions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import PayloadSource, TargetRef
from loadtest.errors import LoadtestError, Problem, SpecError
from loadtest.jobfile.jobfile import load_job
from loadtest.payload.payload import Payloads, load_payloads
from loadtest.targets.base import Payload, PerUserTarget, Target
from loadtest.targets.open import open_target

__all__ = ["InvocationFailed", "JobShape", "SageMakerUser"]

REQUEST_TYPE = "INVOKE"
PAUSE_S = 0.1  # after what a busy loop must not be made of
MOST_WORKERS = 10_000  # of Locust's own: each sends other payloads
LOOK_S = 1.0  # Locust asks a shape for its users this often
_PAUSING = frozenset({Kind.CONNECTION, Kind.MALFORMED, Kind.EXCEPTION})
_log = logging.getLogger(__name__)
_opening = BoundedSemaphore()  # the first user opens the target, the others wait for it


class InvocationFailed(Exception):
    """A failed invocation, as Locust counts it. outcome: all of it."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(f"{outcome.kind.value}: {outcome.detail}" if outcome.detail else outcome.kind.value)


class _Opened:
    """What the users of one class share in one Locust environment."""

    def __init__(self, target: Target, payloads: Payloads) -> None:
        self.target, self.payloads, self.numbers = target, payloads, count()


_opened: WeakKeyDictionary[Environment, dict[type[SageMakerUser], _Opened]] = WeakKeyDictionary()


class SageMakerUser(User):
    """A Locust user with a connection of its own, whose `invoke` is one invocation of the target.

    target: a target reference (docs/targets.md), not a mock: one; None: Locust's host (`--host`).
    target_options: as on the command line: region, profile, endpoint_url, stream, ...; never credentials.
    payload: a file, folder or archive of request bodies; None: one small JSON document. content_type: of every request.
    seed: of the payloads' order. peak_users: how many connections a shared pool may have (`boto3:` alone has one).
    """

    abstract = True
    target: ClassVar[str | None] = None
    target_options: ClassVar[Mapping[str, Any]] = {}
    payload: ClassVar[str | os.PathLike[str] | None] = None
    content_type: ClassVar[str] = "application/json"
    seed: ClassVar[int] = 1
    peak_users: ClassVar[int] = 1000

    def on_start(self) -> None:
        """Open the target, with the first user of this class. What is wrong ends the test with exit code 2."""
        try:
            opened = self._open(self.environment)
        except LoadtestError as problem:
            _log.error("%s: %s", type(self).__name__, problem)
            self.environment.process_exit_code = 2
            if self.environment.runner is not None:
                gevent.spawn(self.environment.runner.quit)  # which kills this very greenlet
            raise gevent.GreenletExit from None  # which Locust takes without a traceback
        shared = opened.target
        self._target: Target = shared.for_user() if isinstance(shared, PerUserTarget) else shared
        self._own = self._target is not shared
        worker = getattr(self.environment.runner, "worker_index", 0)
        self._next_payload = opened.payloads.picker(self.seed, next(opened.numbers) * MOST_WORKERS + max(0, worker))

    def on_stop(self) -> None:
        """Close this user's connection."""
        if getattr(self, "_own", False):
            self._target.close()

    def invoke(self, body: bytes | None = None, *, name: str | None = None) -> Outcome:
        """One invocation, told to Locust as a request of the type INVOKE. Never raises for what the service does.

        body: None: the next payload. name: in Locust's statistics; None: the target.
        """
        payload = self._next_payload() if body is None else Payload(body, self.content_type)
        outcome = self._target.invoke(payload)
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=name or self._ref(self.environment).partition("?")[0],
            response_time=(outcome.done_ns - outcome.sent_ns) / 1e6,
            response_length=outcome.bytes_in,
            exception=None if outcome.ok else InvocationFailed(outcome),
            context=self.context(),
            response=outcome,
        )
        if outcome.kind in _PAUSING:
            gevent.sleep(PAUSE_S)
        return outcome

    @classmethod
    def _ref(cls, environment: Environment) -> str:
        return cls.target or environment.host or cls.host or ""

    @classmethod
    def _open(cls, environment: Environment) -> _Opened:
        of_environment = _opened.setdefault(environment, {})
        with _opening:
            found = of_environment.get(cls)
            if found is not None:
                return found
            ref = cls._ref(environment)
            if not ref:
                raise SpecError([Problem("target", "", "is not given", "set `target`, or give --host")])
            path = None if cls.payload is None else os.fspath(cls.payload)
            payloads = load_payloads(PayloadSource(path, cls.content_type))
            opened = _Opened(open_target(TargetRef(ref, cls.target_options), peak_users=cls.peak_users), payloads)
            of_environment[cls] = opened
            environment.events.test_stop.add_listener(  # type: ignore[no-untyped-call]
                lambda **_: _close(of_environment, cls, opened)
            )
            return opened


@events.init.add_listener  # type: ignore[untyped-decorator]
def _open_early(environment: Environment, **_: Any) -> None:
    """Before the clock of a test runs: botocore takes a second to load. What is wrong is told by the users."""
    if isinstance(environment.runner, MasterRunner):
        return  # which has no users
    for kind in environment.user_classes:
        if issubclass(kind, SageMakerUser):
            with contextlib.suppress(LoadtestError):
                kind._open(environment)
    gevent.get_hub().loop.update_now()  # else Locust's --run-time would count from before all this


def _close(of_environment: dict[type[SageMakerUser], _Opened], kind: type[SageMakerUser], opened: _Opened) -> None:
    """At the end of a test, once: on the web page another may follow, which opens anew."""
    if of_environment.get(kind) is opened:
        del of_environment[kind]
        opened.target.close()


def JobShape(  # a factory that reads as the class it makes
    job: Mapping[str, Any] | JobSpec | str | os.PathLike[str], **options: Any
) -> type[LoadTestShape]:
    """A Locust shape that has a job's users at its very times: `Shape = JobShape("job.json")` in a locustfile.

    job: a request, or the file of one. options: of RunOptions that read the traffic: spawn, stairs_duration; without
    them, a file's own. Locust looks once a second; what changes in between is waited for, so a change is on time unless
    another came less than a second before it. Users that leave lose the request in flight unless Locust is told to
    wait: `--stop-timeout 60`. Raises SpecError with every problem, and for a job without traffic.
    """
    chosen = RunOptions(**options)
    if isinstance(job, JobSpec):
        spec = job
    elif isinstance(job, (str, os.PathLike)):
        file, spec = load_job(os.fspath(job), "relaxed")
        chosen = chosen if options else file.loadtest.options
    else:
        spec = parse_job(job, "relaxed")
    if spec.traffic is None:
        rule = "a Default job leaves the traffic to the recommender, so it has no shape"
        raise SpecError([Problem("InputConfig.TrafficPattern", "", rule, "use an Advanced job")])
    curve = curve_of(spec.traffic, chosen)
    times = [step.at_s for step in curve.steps] + [curve.end_s]

    class Shape(LoadTestShape):
        """The curve's users, as Locust asks for them."""

        users = 0

        def reset_time(self) -> None:
            super().reset_time()  # type: ignore[no-untyped-call]
            self.users = 0

        def tick(self) -> tuple[int, float] | None:
            """(users now, users to start or stop a second, so that it is done at once); None: the end."""
            now_s = float(self.get_run_time())  # type: ignore[no-untyped-call]
            next_s = times[min(bisect_right(times, now_s), len(times) - 1)]
            if 0 < next_s - now_s < LOOK_S:
                gevent.sleep(next_s - now_s)
                now_s = max(next_s, float(self.get_run_time()))  # type: ignore[no-untyped-call]
            if now_s >= curve.end_s:
                return None
            wanted = curve.users_at(now_s)
            if wanted != self.users:
                self.rate, self.users = float(max(1, abs(wanted - self.users))), wanted
            return self.users, self.rate

    return Shape
