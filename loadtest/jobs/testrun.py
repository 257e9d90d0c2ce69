"""One test of a job: open its endpoint, run the load, read the figures. Ends in a step row, whatever happens."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.request.spec import JobSpec, LoadTest, RunOptions, Serverless, StopConditions
from loadtest.core.result.description import inference_metrics
from loadtest.core.result.info import info_of
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import TrafficCurve, curve_of
from loadtest.core.traffic.plan import PayloadSource, Plan
from loadtest.errors import LoadtestError
from loadtest.jobs.engines import LoadEngine
from loadtest.jobs.events import EventSink, NoEvents, endpoint_stream
from loadtest.jobs.fleet import Fleet, OpenEndpoint, Subject
from loadtest.jobs.metering import Meter
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.outcome import (
    failure_text,
    figures_of,
    recommendation_metrics,
    step_status_of,
)
from loadtest.jobs.rows import StepRow
from loadtest.jobs.search import search_curve, search_options, search_stop
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.status import Status
from loadtest.jobs.watching import NoOnlooker, Onlooker

__all__ = ["BenchmarkContext", "Load", "load_of", "run_test"]

_LOG = logging.getLogger(__name__)
SHUT_DOWN = "The service was shut down while the load test ran"


@dataclass(frozen=True, slots=True)
class Load:
    """The traffic of every test of a job. search: it is a Default job's, raised until the plateau."""

    curve: TrafficCurve
    stop: StopConditions
    options: RunOptions
    search: bool


@dataclass(frozen=True, slots=True)
class BenchmarkContext:
    """What every test of a job needs besides the test itself."""

    job_name: str
    spec: JobSpec
    facts: ModelFacts
    load: Load
    payload: PayloadSource
    fleet: Fleet
    engine: LoadEngine
    events: EventSink
    signal: StopSignal
    watcher: Onlooker = NoOnlooker()


def load_of(spec: JobSpec, fleet: Fleet) -> Load:
    """The job's own traffic, or that of the search."""
    if spec.traffic is None:
        plan = fleet.file.search
        return Load(search_curve(plan), search_stop(), search_options(plan), search=True)
    options = RunOptions()
    return Load(curve_of(spec.traffic, options), spec.stop, options, search=False)


def run_test(
    bench: BenchmarkContext, test: LoadTest, step: StepRow, started_s: float, limit_s: float | None
) -> tuple[StepRow, RunResult | None]:
    """The step, finished, and the load test's result; None: it could not be run.

    started_s: epoch seconds, virtual ones with a virtual engine. limit_s: what is left of the job's duration; None: no
    limit (T10).
    """
    begun_s = time.monotonic()
    result: RunResult | None = None

    def ended_s(result: RunResult | None) -> float:
        if bench.engine.virtual:
            return started_s + (0.0 if result is None else result.totals.length_s)
        return started_s + time.monotonic() - begun_s

    log = _Log(bench, step.endpoint_name)
    log.say(started_s, f"Benchmark {step.label}: creating endpoint {step.endpoint_name}")
    try:
        with bench.fleet.open(_subject(test, step), bench.facts) as endpoint:
            log.say(started_s, f"Endpoint in service. {_configuration(bench.load)}")
            if limit_s is not None and not bench.engine.virtual:
                limit_s = max(limit_s - (time.monotonic() - begun_s), bench.load.options.window_s)
            run = _run(bench, step, endpoint, started_s, limit_s)
            result = replace(run, job=plain(bench.spec.request), label=step.label, info=_info(bench, test))
            finished = _finished(bench, test, step, endpoint, result, ended_s(result))
    except LoadtestError as problem:
        finished = replace(step, status=Status.FAILED, failure_reason=str(problem), ended_s=ended_s(None))
    except Exception as problem:
        _LOG.exception("benchmark %s of job %s broke", step.label, bench.job_name)
        reason = f"InternalFailure: {type(problem).__name__}: {problem}"
        finished = replace(step, status=Status.FAILED, failure_reason=reason, ended_s=ended_s(None))
    log.say(finished.ended_s or started_s, _ending(finished, result))
    told_s = None if result is None else result.started_at
    return replace(finished, started_s=started_s if told_s is None else told_s), result


class _Log:
    def __init__(self, bench: BenchmarkContext, endpoint_name: str) -> None:
        self._events = bench.events
        self._stream = endpoint_stream(bench.job_name, endpoint_name)

    def say(self, time_s: float, text: str) -> None:
        self._events.log(self._stream, text, time_s)


def _info(bench: BenchmarkContext, test: LoadTest) -> dict[str, Any]:
    """What a report says of the test besides its label."""
    instance_type = None if test.configuration is None else test.configuration.instance_type
    price = None if instance_type is None else bench.fleet.prices.per_hour(instance_type)
    info: dict[str, Any] = plain(info_of(test, price))
    return info


def _subject(test: LoadTest, step: StepRow) -> Subject:
    configuration = test.configuration
    if configuration is None:
        return Subject(step.endpoint_name, existing=True)
    return Subject(
        step.endpoint_name,
        instance_type=configuration.instance_type,
        serverless=configuration.serverless,
        environment=dict(test.environment),
    )


def _run(
    bench: BenchmarkContext, step: StepRow, endpoint: OpenEndpoint, started_s: float, limit_s: float | None
) -> RunResult:
    plan = Plan(
        curve=bench.load.curve,
        stop=bench.load.stop,
        target=endpoint.target,
        payload=bench.payload,
        options=bench.load.options,
        limit_s=limit_s,
    )
    watcher = NoOnlooker() if bench.engine.virtual else bench.watcher
    show = watcher.begins(bench.job_name, step.index, step.label, plan)
    if isinstance(bench.events, NoEvents):  # a minute's percentiles are not worth computing for nobody
        return bench.engine.run(plan, show, bench.signal)
    variant = str(step.endpoint.get("VariantName", "AllTraffic"))
    meters: list[Meter] = []

    def meter(window: Window) -> None:
        show(window)
        if not meters:
            begin_s = started_s if bench.engine.virtual else time.time() - window.end_s
            target = (bench.job_name, step.endpoint_name, variant)
            meters.append(Meter(bench.events, *target, begin_s, endpoint.behaviour, endpoint.instances))
        meters[0].add(window)

    try:
        return bench.engine.run(plan, meter, bench.signal)
    finally:
        for each in meters:
            each.flush()


def _finished(
    bench: BenchmarkContext, test: LoadTest, step: StepRow, endpoint: OpenEndpoint, result: RunResult, ended_s: float
) -> StepRow:
    figures = figures_of(result, search=bench.load.search)
    status = step_status_of(result, figures, search=bench.load.search)
    reason = failure_text(result) if status is Status.FAILED else None
    if bench.signal.at_once:
        status, reason = Status.FAILED, SHUT_DOWN
    finished = replace(step, status=status, failure_reason=reason, ended_s=ended_s)
    if figures is None or status is Status.FAILED:
        return finished
    if test.configuration is None:
        metrics = inference_metrics(figures.per_min, figures.latency_ms)
        return replace(finished, endpoint_metrics=metrics, per_instance_per_min=figures.per_min / endpoint.instances)
    serverless: Serverless | None = test.configuration.serverless
    target = bench.load.stop.max_invocations_per_min
    metrics, count = recommendation_metrics(
        figures,
        instance_type=test.configuration.instance_type,
        serverless=serverless,
        behaviour=endpoint.behaviour,
        prices=bench.fleet.prices,
        target_per_min=target,
    )
    counted = {} if serverless is not None else {"InitialInstanceCount": count}
    return replace(
        finished,
        metrics=metrics,
        per_instance_per_min=figures.per_min,
        endpoint={**step.endpoint, **counted},
    )


def _configuration(load: Load) -> str:
    stop = load.stop
    parts = [f"up to {load.curve.peak} users in {load.curve.end_s:g} s"]
    if stop.max_invocations_per_min is not None:
        parts.append(f"MaxInvocations {stop.max_invocations_per_min} per minute")
    if stop.latency is not None:
        parts.append(f"{stop.latency.name} at most {stop.latency.limit_ms} ms")
    parts.append(f"FlatInvocations {'Stop' if stop.flat_stops else 'Continue'}")
    return f"Load test: {', '.join(parts)}"


def _ending(step: StepRow, result: RunResult | None) -> str:
    if result is None:
        return f"Benchmark {step.status.value}: {step.failure_reason}"
    reason: Reason = result.reason
    figures = step.metrics or step.endpoint_metrics
    found = (
        f"; MaxInvocations {figures['MaxInvocations']}, ModelLatency {figures['ModelLatency']} ms" if figures else ""
    )
    text = f"Load test stopped, {reason.value}: {REASONS[reason].sentence}{found}. Endpoint deleted"
    if result.trust.client_limited:
        doubts = "; ".join(doubt.text for doubt in result.trust.reasons)
        text = f"{text}. The load generator set the pace, the endpoint may serve more: {doubts}"
    return text if step.failure_reason is None else f"{text}. Benchmark failed: {step.failure_reason}"
