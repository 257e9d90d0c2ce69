"""One test of a job: open its endpoint, run the load, read the figures. Ends in a step row, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from loadtest.core.judge.decision import REASONS
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import JobSpec, LoadTest, RunOptions, Serverless, StopConditions
from loadtest.core.result.description import inference_metrics
from loadtest.core.result.info import info_of
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Step, TrafficCurve, curve_of
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef, search_plan
from loadtest.errors import LoadtestError, masked
from loadtest.jobs.clock import JobClock
from loadtest.jobs.engines import LoadEngine
from loadtest.jobs.events import endpoint_stream
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.metering import Meter
from loadtest.jobs.outcome import Figures, failure_text, figures_of, recommendation_metrics, step_status_of
from loadtest.jobs.provision import OpenEndpoint, Provider, Wanted
from loadtest.jobs.rows import StepRow, Tag
from loadtest.jobs.search import search_of, search_options
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.status import Status
from loadtest.jobs.subject import Subject
from loadtest.jobs.watching import NoOnlooker, Onlooker

__all__ = ["BenchmarkContext", "JobTraffic", "run_test", "traffic_of"]

_LOG = logging.getLogger(__name__)
SHUT_DOWN = "The service was shut down while the load test ran"


@dataclass(frozen=True, slots=True)
class JobTraffic:
    """The traffic of every test of a job. search: a Default job's, for the plateau; None: the curve is all there is."""

    curve: TrafficCurve
    stop: StopConditions
    options: RunOptions
    search: SearchSettings | None = None

    def plan(self, target: TargetRef, payload: PayloadSource, limit_s: float | None) -> Plan:
        """Of one test. limit_s: hard end of its traffic; None: there is none."""
        made = Plan(self.curve, self.stop, target, payload, self.options, limit_s)
        return made if self.search is None else replace(search_plan(made, self.search), limit_s=limit_s)


@dataclass(frozen=True, slots=True)
class BenchmarkContext:
    """What every test of a job needs besides the test itself. subject: of a test and its endpoint's name; raises
    LoadtestError if that endpoint is gone. provider: of the endpoints.
    """

    job_name: str
    spec: JobSpec
    subject: Callable[[LoadTest, str], Subject]
    traffic: JobTraffic
    payload: PayloadSource
    fleet: Fleet
    provider: Provider
    engine: LoadEngine
    time: JobClock
    signal: StopSignal
    watcher: Onlooker = NoOnlooker()
    tags: tuple[Tag, ...] = ()


def traffic_of(spec: JobSpec, fleet: Fleet) -> JobTraffic:
    """The job's own traffic, or that of the search."""
    if spec.traffic is None:
        plan = fleet.file.search
        first = TrafficCurve((Step(0.0, plan.users[0]),), plan.level_s)
        return JobTraffic(first, StopConditions(flat_stops=False), search_options(plan), search_of(plan))
    options = RunOptions()
    return JobTraffic(curve_of(spec.traffic, options), spec.stop, options)


def run_test(
    bench: BenchmarkContext, test: LoadTest, step: StepRow, started_s: float, limit_s: float | None
) -> tuple[StepRow, RunResult | None]:
    """The step, finished, and the load test's result; None: it could not be run.

    started_s: epoch seconds of the job's clock. limit_s: what is left of the job's duration; None: no limit (T10).
    """
    course = _Course(bench.time, started_s)
    result: RunResult | None = None
    finished: StepRow | None = None
    opened: OpenEndpoint | None = None
    gone = False
    stream = endpoint_stream(bench.job_name, step.endpoint_name)
    bench.time.log(stream, f"Benchmark {step.label}: preparing endpoint {step.endpoint_name}", started_s)
    try:
        with bench.provider.provide(_wanted(bench, test, step, course)) as endpoint:
            notes = (*_unheeded(bench, endpoint), *endpoint.notes, *_unpriced(bench, test))
            opened_s = course.now_s()
            bench.time.log(
                stream, "; ".join([f"Endpoint in service. {_configuration(bench.traffic)}", *notes]), opened_s
            )
            if limit_s is not None:
                limit_s = max(limit_s - (opened_s - started_s), bench.traffic.options.window_s)
            run = _run(bench, step, endpoint, course, limit_s)
            info = _info(bench, test, endpoint)
            result = endpoint.completed(
                replace(run, job=plain(bench.spec.request), label=step.label, info={**info, **plain(endpoint.info)})
            )
            finished = _finished(bench, test, replace(step, notes=notes), endpoint, result, course.now_s())
            opened = endpoint
        gone = not (endpoint.stand_in or endpoint.subject.existing)  # what somebody runs anyway stays
    except LoadtestError as problem:
        # Who waits for an endpoint gives up when the job is told to stop.
        status = Status.STOPPED if bench.signal.asked else Status.FAILED
        finished = _broken(step, finished, status, str(problem), course.now_s())
    except Exception as problem:
        _LOG.exception("benchmark %s of job %s broke", step.label, bench.job_name)
        reason = f"InternalFailure: {type(problem).__name__}: {problem}"
        finished = _broken(step, finished, Status.FAILED, reason, course.now_s())
    bench.time.log(stream, _ending(finished, result, gone), finished.ended_s or started_s)
    if result is not None and opened is not None:
        result = opened.afterwards(result)
    return replace(finished, started_s=course.origin_s or started_s), result


def _wanted(bench: BenchmarkContext, test: LoadTest, step: StepRow, course: _Course) -> Wanted:
    stream = endpoint_stream(bench.job_name, step.endpoint_name)

    def say(text: str) -> None:
        bench.time.log(stream, text, course.now_s())

    subject = bench.subject(test, step.endpoint_name)
    keep = partial(bench.watcher.kept, bench.job_name, step.index)
    return Wanted(bench.job_name, bench.spec, test, subject, say, bench.signal, bench.tags, keep)


def _broken(step: StepRow, finished: StepRow | None, status: Status, reason: str, now_s: float) -> StepRow:
    """What was measured is not lost because the endpoint could not be taken away afterwards."""
    if finished is not None:
        return replace(finished, notes=(*finished.notes, f"after the test: {reason}"))
    return replace(step, status=status, failure_reason=reason, ended_s=now_s)


class _Course:
    """The instants of one test, epoch seconds of its job's clock. Windows are seen in their order.

    origin_s: of the run's start, from which its windows count; None: no window has come.
    """

    def __init__(self, clock: JobClock, started_s: float) -> None:
        self.origin_s: float | None = None
        self._clock = clock
        self._started_s = started_s
        self._seen_s = started_s

    def now_s(self) -> float:
        """No sooner than the end of what was seen; in virtual time nothing takes time but the traffic itself."""
        return self._seen_s if self._clock.virtual else max(self._seen_s, self._clock.now_s())

    def see(self, window: Window) -> float:
        """The origin, which the first window tells."""
        if self.origin_s is None:
            begun_s = self._started_s if self._clock.virtual else self._clock.now_s() - window.end_s
            self.origin_s = round(max(self._started_s, begun_s), 3)
        self._seen_s = round(self.origin_s + window.end_s, 3)
        return self.origin_s


def _info(bench: BenchmarkContext, test: LoadTest, endpoint: OpenEndpoint) -> dict[str, Any]:
    """What a report says of the test besides its label; without an environment that was not applied."""
    instance_type = None if test.configuration is None else test.configuration.instance_type
    price = None if instance_type is None else bench.fleet.prices.per_hour(instance_type)
    info: dict[str, Any] = plain(info_of(replace(test, environment=()) if endpoint.stand_in else test, price))
    return info


def _unheeded(bench: BenchmarkContext, endpoint: OpenEndpoint) -> tuple[str, ...]:
    """What the test asks for and the endpoint does not have."""
    asked = endpoint.subject.asked
    if not asked:
        return ()
    if endpoint.stand_in:
        target = masked(endpoint.target.ref)
        return (f"not applied: {_pairs(asked)}, because {target} of the fleet file stands in for this endpoint",)
    heeded = bench.fleet.file.environment.heeded
    without = {name: value for name, value in asked.items() if name not in heeded}
    return (f"without effect on the fleet file's performance model: {_pairs(without)}",) if without else ()


def _unpriced(bench: BenchmarkContext, test: LoadTest) -> Iterator[str]:
    instance_type = None if test.configuration is None else test.configuration.instance_type
    if instance_type is not None and bench.fleet.prices.per_hour(instance_type) is None:
        yield f"no price of {instance_type} is known, so its costs are not given"


def _pairs(environment: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in environment.items())


def _run(
    bench: BenchmarkContext, step: StepRow, endpoint: OpenEndpoint, course: _Course, limit_s: float | None
) -> RunResult:
    plan = bench.traffic.plan(endpoint.target, bench.payload, limit_s)
    watcher = NoOnlooker() if bench.engine.virtual else bench.watcher
    show = watcher.begins(bench.job_name, step.index, step.label, plan)
    variant = endpoint.subject.variant_name
    meters: list[Meter] = []

    def meter(window: Window) -> None:
        show(window)
        origin_s = course.see(window)
        if not bench.time.is_heard:  # a minute's percentiles are not worth computing for nobody
            return
        if not meters:
            target = (bench.job_name, step.endpoint_name, variant)
            meters.append(Meter(bench.time, *target, origin_s, endpoint.behaviour, endpoint.instances))
        meters[0].add(window)

    try:
        return bench.engine.run(plan, meter, bench.signal)
    finally:
        for each in meters:
            each.flush()


def _finished(
    bench: BenchmarkContext, test: LoadTest, step: StepRow, endpoint: OpenEndpoint, result: RunResult, ended_s: float
) -> StepRow:
    figures = figures_of(result)
    status = step_status_of(result, figures)
    reason = failure_text(result) if status is Status.FAILED else None
    if bench.signal.at_once:
        status, reason = Status.FAILED, SHUT_DOWN
    model = {**step.model, "EnvironmentParameters": []} if endpoint.stand_in else step.model
    finished = replace(step, status=status, failure_reason=reason, ended_s=ended_s, model=model)
    if status is Status.FAILED:
        return finished
    if figures is None:
        return replace(finished, notes=(*step.notes, "no rate of 1 invocation a minute or more held the conditions"))
    finished = replace(finished, notes=(*step.notes, *_doubts(figures, result)))
    sure = None if figures.sure_per_min is None else figures.sure_per_min / endpoint.instances
    one = replace(figures, per_min=figures.per_min / endpoint.instances, sure_per_min=sure)
    if test.configuration is None:
        metrics = inference_metrics(figures.per_min, figures.latency_ms)
        return replace(finished, endpoint_metrics=metrics, per_instance_per_min=one.per_min)
    serverless: Serverless | None = test.configuration.serverless
    metrics, count = recommendation_metrics(
        one,
        instance_type=test.configuration.instance_type,
        serverless=serverless,
        behaviour=endpoint.behaviour,
        prices=bench.fleet.prices,
        target_per_min=bench.traffic.stop.max_invocations_per_min,
    )
    counted = {} if serverless is not None else {"InitialInstanceCount": count}
    return replace(
        finished,
        metrics=metrics,
        per_instance_per_min=one.per_min,
        endpoint={**step.endpoint, **counted},
    )


def _doubts(figures: Figures, result: RunResult) -> Iterator[str]:
    if figures.estimated and result.best is not None:
        length_s = result.best.end_s - result.best.start_s
        full_s = result.plan.options.rate_window_s
        yield f"MaxInvocations is an estimate, extrapolated from {length_s:.3g} s; a full rate takes {full_s:g} s"
    if result.trust.client_limited:
        doubts = "; ".join(doubt.text for doubt in result.trust.reasons)
        yield f"the load generator set the pace, the endpoint may serve more: {doubts}"


def _configuration(traffic: JobTraffic) -> str:
    stop = traffic.stop
    parts = [f"up to {traffic.curve.peak} users in {traffic.curve.end_s:g} s"]
    if stop.max_invocations_per_min is not None:
        parts.append(f"MaxInvocations {stop.max_invocations_per_min} per minute")
    if stop.latency is not None:
        parts.append(f"{stop.latency.name} at most {stop.latency.limit_ms} ms")
    parts.append(f"FlatInvocations {'Stop' if stop.flat_stops else 'Continue'}")
    return f"Load test: {', '.join(parts)}"


def _ending(step: StepRow, result: RunResult | None, gone: bool) -> str:
    if result is None:
        return f"Benchmark {step.status.value}: {step.failure_reason}"
    figures = step.metrics or step.endpoint_metrics
    found = "; MaxInvocations {MaxInvocations}, ModelLatency {ModelLatency} ms".format(**figures) if figures else ""
    notes = f". Note: {'; '.join(step.notes)}" if step.notes else ""
    deleted = ". Endpoint deleted" if gone else ""
    text = f"Load test stopped, {result.reason.value}: {REASONS[result.reason].sentence}{found}{deleted}{notes}"
    return text if step.failure_reason is None else f"{text}. Benchmark failed: {step.failure_reason}"
