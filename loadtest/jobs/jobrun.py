"""One job from its first test to its end: at most MaxParallelOfTests at once, within JobDurationInSeconds."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import EndpointConfiguration, JobSpec, LoadTest, Profile
from loadtest.core.result.description import hardware, model_configuration
from loadtest.errors import LoadtestError, TargetError
from loadtest.jobs.clock import JobClock
from loadtest.jobs.engines import LoadEngine
from loadtest.jobs.events import EventSink, execution_stream
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.provision import Provider
from loadtest.jobs.rows import JobRow, StepRow
from loadtest.jobs.samples import PayloadReader, sample_payload
from loadtest.jobs.search import default_tests
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.status import Status
from loadtest.jobs.store import JobStore
from loadtest.jobs.subject import Subject, subject_of
from loadtest.jobs.testrun import BenchmarkContext, run_test, traffic_of
from loadtest.jobs.watching import NoOnlooker, Onlooker

__all__ = ["Ending", "JobContext", "JobRun"]

_LOG = logging.getLogger(__name__)

VIRTUAL_PARALLEL = 10  # MaxParallelOfTests' documented maximum, where tests cost no machine
_WORD = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class JobContext:
    """What all jobs share. payload_reader: None: a built-in request body is sent. reads_payloads: virtual time sends
    no bodies, so it need not have any. provider: of endpoints; None: the fleet.
    payload: a file of bodies in place of the job's."""

    store: JobStore
    fleet: Fleet
    engine: LoadEngine
    events: EventSink
    payload_reader: PayloadReader | None = None
    reads_payloads: bool = True
    watcher: Onlooker = NoOnlooker()
    provider: Provider | None = None
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job's tests ended. completed_s: epoch seconds, virtual ones with a virtual engine."""

    status: Status
    completed_s: float
    failure_reason: str | None = None


class JobRun:
    """Runs the tests of one job. The job's own status is its caller's business."""

    def __init__(self, context: JobContext, job: JobRow, signal: StopSignal) -> None:
        self._context = context
        self._job = job
        self._signal = signal
        # A state directory may hold times of a clock that was ahead of this one.
        begin_s = max(context.store.now_s(), job.modified_s)
        now = None if context.engine.virtual else context.store.now_s
        self._time = JobClock(context.events, begin_s, now)

    def run(self) -> Ending:
        """Blocks until every test has ended. A fault of this program is logged, and ends the job as FAILED."""
        try:
            return self._run()
        except Exception as problem:
            _LOG.exception("job %s broke", self._job.name)
            return self._ended(Status.FAILED, f"InternalFailure: {type(problem).__name__}: {problem}")

    def _run(self) -> Ending:
        job = self._job
        spec = parse_job(job.request, "relaxed" if job.profile == "relaxed" else "aws")
        tests, over_limit = self._tests(spec)
        steps = [self._step(test) for test in tests]
        unrun = [self._unrun(test, spec) for test in over_limit]
        self._context.store.put_steps(job.name, [*steps, *unrun], self._time.begin_s)
        self._say(f"Job {job.name} started: {len(tests)} benchmarks")
        for step in unrun:
            self._say(f"Benchmark {step.label} is not run: {step.failure_reason}")
        with ExitStack() as stack:
            try:
                reader = self._context.payload_reader if self._context.reads_payloads else None
                payload = sample_payload(job.facts, reader, stack, self._context.payload)
            except Exception as problem:
                ours = None if isinstance(problem, (LoadtestError, OSError)) else problem
                _LOG.warning("the payload of job %s cannot be used: %s", job.name, problem, exc_info=ours)
                reason = f"PayloadError when calling the InvokeEndpoint operation: {problem}"
                failed = [replace(step, status=Status.FAILED, failure_reason=reason) for step in steps]
                self._context.store.put_steps(job.name, failed, self._time.now_s())
                return self._ended(Status.FAILED, reason)
            fleet, around = self._context.fleet, self._context
            bench = BenchmarkContext(
                job_name=job.name,
                spec=spec,
                subject=self._subject,
                traffic=traffic_of(spec, fleet),
                payload=payload,
                fleet=fleet,
                provider=around.provider or fleet,
                engine=around.engine,
                time=self._time,
                signal=self._signal,
                watcher=around.watcher,
                tags=tuple(around.store.tags(job.name)),
            )
            one = _One(self, bench)
            pairs = list(zip(tests, steps, strict=True))
            if around.engine.virtual:
                _in_virtual_time(one, pairs, spec.max_parallel_tests or VIRTUAL_PARALLEL)
            else:
                _in_real_time(one, pairs, spec.max_parallel_tests or os.cpu_count() or 1, self._time)
        return self._judged()

    def begin(self, bench: BenchmarkContext, test: LoadTest, step: StepRow, at_s: float) -> StepRow:
        """One test, from the decision whether it still starts to its kept result. at_s: since the job's start."""
        store, started_s = self._context.store, self._time.begin_s + at_s
        duration_s = bench.spec.duration_s
        self._time.reach(started_s)
        if self._signal.asked:
            return self._keep(replace(step, status=Status.STOPPED))
        if duration_s is not None and at_s >= duration_s:
            reason = f"Not started: the JobDurationInSeconds of {duration_s} were over"
            self._say(f"Benchmark {step.label}: {reason}", started_s)
            return self._keep(replace(step, status=Status.STOPPED, failure_reason=reason))
        store.put_steps(self._job.name, [replace(step, status=Status.IN_PROGRESS, started_s=started_s)], started_s)
        self._say(f"Benchmark {step.label} on endpoint {step.endpoint_name} started", started_s)
        limit_s = None if duration_s is None else duration_s - at_s
        finished, result = run_test(bench, test, step, started_s, limit_s)
        if result is not None:
            store.put_run(self._job.name, step.index, result.to_dict())
        self._keep(finished)
        self._context.watcher.ended(self._job.name, step.index)
        self._say(f"Benchmark {step.label} {finished.status.value}", finished.ended_s)
        return finished

    def _keep(self, step: StepRow) -> StepRow:
        self._context.store.put_steps(self._job.name, [step], step.ended_s or self._time.now_s())
        return step

    def _tests(self, spec: JobSpec) -> tuple[tuple[LoadTest, ...], tuple[LoadTest, ...]]:
        if spec.job_type == "Default":
            profile: Profile = "relaxed" if self._job.profile == "relaxed" else "aws"
            return default_tests(spec, self._job.facts, self._context.fleet.file, profile)
        return spec.tests()

    def _step(self, test: LoadTest) -> StepRow:
        word = uuid.uuid4().int
        letters = "".join(_WORD[word // 36**i % 36] for i in range(8))
        existing = test.configuration is None
        name = str(test.endpoint_name) if existing else f"sm-epc-{uuid.uuid4()}"
        return StepRow(
            index=test.index,
            label=test.label,
            endpoint_name=name,
            recommendation_id=f"{self._job.name}/{letters}",
            existing=existing,
            endpoint={
                "EndpointName": name,
                "VariantName": self._variant_name(name) if existing else name,
                **_hardware(test.configuration),
            },
            model=_model(test),
        )

    def _subject(self, test: LoadTest, endpoint_name: str) -> Subject:
        if test.configuration is not None:
            return subject_of(test, endpoint_name, self._job.facts, self._job.model_name)
        found = self._context.fleet.existing(endpoint_name)
        if found is None:
            raise TargetError(f"Could not find endpoint {endpoint_name!r}: it was deleted after the job was created")
        return found

    def _variant_name(self, endpoint_name: str) -> str:
        try:
            subject = self._context.fleet.existing(endpoint_name)
        except LoadtestError:  # its test will say so
            subject = None
        return (subject or Subject(endpoint_name)).variant_name

    def _unrun(self, test: LoadTest, spec: JobSpec) -> StepRow:
        reason = f"Not run: the job has more benchmarks than MaxNumberOfTests, {spec.max_tests}"
        return replace(self._step(test), status=Status.STOPPED, failure_reason=reason)

    def _judged(self) -> Ending:
        """FAILED only if every test that was run failed."""
        steps = self._context.store.steps(self._job.name)
        failed = [step for step in steps if step.status is Status.FAILED]
        if not failed or any(step.status is Status.COMPLETED for step in steps):
            return self._ended(Status.COMPLETED)
        if any(step.status is Status.STOPPED and step.metrics is not None for step in steps):
            return self._ended(Status.COMPLETED)
        reasons = dict.fromkeys(step.failure_reason or "" for step in failed)
        return self._ended(Status.FAILED, f"All benchmarks failed. {'; '.join(reasons)}")

    def _ended(self, status: Status, reason: str | None = None) -> Ending:
        end_s = self._time.end_s()
        if not self._signal.asked:  # else it ends as STOPPED, and whoever asked says so
            self._say(f"Job {self._job.name} {status.value}" + (f": {reason}" if reason else ""), end_s)
        return Ending(status, end_s, reason)

    def _say(self, text: str, time_s: float | None = None) -> None:
        at_s = self._time.now_s() if time_s is None else time_s
        self._time.log(execution_stream(self._job.name), text, at_s)


@dataclass(frozen=True, slots=True)
class _One:
    job: JobRun
    bench: BenchmarkContext

    def __call__(self, test: LoadTest, step: StepRow, at_s: float) -> StepRow:
        return self.job.begin(self.bench, test, step, at_s)


Pairs = Sequence[tuple[LoadTest, StepRow]]


def _in_virtual_time(one: _One, pairs: Pairs, slots: int) -> None:
    """Each test starts at the virtual instant at which the first slot is free."""
    free_s = [0.0] * min(slots, len(pairs))
    heapq.heapify(free_s)
    for test, step in pairs:
        at_s = heapq.heappop(free_s)
        done = one(test, step, at_s)
        length_s = 0.0 if done.ended_s is None or done.started_s is None else done.ended_s - done.started_s
        heapq.heappush(free_s, at_s + length_s)


def _in_real_time(one: _One, pairs: Pairs, slots: int, timeline: JobClock) -> None:
    """As many threads as slots take the tests in their order."""
    waiting = iter(pairs)
    lock = threading.Lock()
    broken: list[Exception] = []

    def work() -> None:
        while True:
            with lock:
                pair = None if broken else next(waiting, None)
            if pair is None:
                return
            try:
                one(*pair, timeline.now_s() - timeline.begin_s)
            except Exception as problem:
                broken.append(problem)

    threads = [threading.Thread(target=work, name="loadtest-test", daemon=True) for _ in range(min(slots, len(pairs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


def _hardware(configuration: EndpointConfiguration | None) -> dict[str, Any]:
    if configuration is None:
        return {}
    serverless = configuration.serverless
    sizes = None if serverless is None else (serverless.memory_mb, serverless.max_concurrency)
    return hardware(configuration.instance_type, sizes)


def _model(test: LoadTest) -> dict[str, Any]:
    configuration = test.configuration
    specification = None if configuration is None else configuration.inference_specification
    return model_configuration(dict(test.environment), specification)
