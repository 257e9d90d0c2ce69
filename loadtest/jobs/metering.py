"""Windows of a run as CloudWatch metrics, a minute at a time: what AWS's load generator and endpoints publish.

/aws/sagemaker/InferenceRecommendationsJobs (JobName, EndpointName): what the load generator saw. AWS/SageMaker and
/aws/sagemaker/Endpoints (EndpointName, VariantName): what is known of the endpoint; docs/emulator.md says of each
metric what it is made from. What is not known is not there: no zero stands for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.jobs.events import LOG_GROUP, EventSink, MetricPoint
from loadtest.jobs.fleet_model import Behaviour

__all__ = ["Meter"]

MINUTE_S = 60.0
MAX_VALUES = 150  # values in one PutMetricData item
INVOCATIONS = "AWS/SageMaker"
INSTANCES = "/aws/sagemaker/Endpoints"

_ORIGINAL = re.compile(r"[0-9]{3}/([45])[0-9]{2}")  # of a ModelError: "424/500"
# What came back from a model, or did not: without what was refused before it, or was of our own making.
_OF_THE_MODEL = (
    Kind.MODEL_ERROR,
    Kind.CLIENT_ERROR,
    Kind.SERVER_ERROR,
    Kind.TIMEOUT,
    Kind.CONNECTION,
    Kind.MALFORMED,
)


class _Metric(NamedTuple):
    """Of one minute. values, counts: as in MetricPoint."""

    namespace: str
    name: str
    unit: str
    values: Sequence[float]
    counts: Sequence[float] = (1.0,)


class Meter:
    """Collects the windows of one test and sends a point per metric and minute. Not thread-safe.

    start_s: epoch seconds of the run's start; no point lies before it. behaviour, instances: of the endpoint; None: how
    it uses its machine is not known.
    """

    def __init__(
        self,
        events: EventSink,
        job_name: str,
        endpoint_name: str,
        variant_name: str,
        start_s: float,
        behaviour: Behaviour | None = None,
        instances: int = 1,
    ) -> None:
        self._events = events
        self._job = {"JobName": job_name, "EndpointName": endpoint_name}
        self._variant = {"EndpointName": endpoint_name, "VariantName": variant_name}
        self._start_s = start_s
        self._behaviour = behaviour
        self._instances = instances
        self._minute = 0
        self._windows: list[Window] = []

    def add(self, window: Window) -> None:
        """One window, in order of time."""
        minute = int((self._start_s + window.start_s) // MINUTE_S)
        if minute != self._minute:
            self.flush()
            self._minute = minute
        self._windows.append(window)

    def flush(self) -> None:
        """Send the minute that is not complete yet."""
        windows, self._windows = self._windows, []
        if not windows:
            return
        # The first minute began before the run, perhaps before the job was created: who asks from then on finds it.
        time_s = max(self._minute * MINUTE_S, self._start_s)
        for metric in self._metrics(windows):
            dimensions = self._job if metric.namespace == LOG_GROUP else self._variant
            values, counts = tuple(map(float, metric.values)), tuple(map(float, metric.counts))
            point = MetricPoint(metric.namespace, metric.name, metric.unit, dimensions, time_s, values, counts)
            self._events.metric(point)

    def _metrics(self, windows: Sequence[Window]) -> Iterator[_Metric]:
        completed = sum(window.completed for window in windows)
        users, counts = zip(*_joined(sorted(Counter(w.load.running for w in windows).items())), strict=True)
        yield _Metric(LOG_GROUP, "NumberOfUsers", "None", users, counts)
        yield _Metric(LOG_GROUP, "ClientInvocations", "None", [completed])
        yield _Metric(LOG_GROUP, "ClientInvocationErrors", "None", [sum(window.failed for window in windows)])
        yield _Metric(INVOCATIONS, "Invocations", "None", [completed])
        serverless = self._behaviour is not None and self._behaviour.serverless
        if not serverless:
            yield _Metric(INVOCATIONS, "InvocationsPerInstance", "None", [completed / self._instances])
        yield from _latencies(windows)
        if completed:
            yield from _errors(windows, completed, with_model_errors=not serverless)
        if self._behaviour is not None:
            yield from _of_machine(windows, self._behaviour, self._instances)


def _latencies(windows: Sequence[Window]) -> Iterator[_Metric]:
    client = _merged([window.latencies.client.encoded for window in windows])
    model = _merged([window.latencies.model.encoded for window in windows])
    if client.total:
        values, counts = zip(*_joined(client.recorded()), strict=True)
        yield _Metric(LOG_GROUP, "ClientLatency", "Milliseconds", [us / 1000 for us in values], counts)
    if model.total:
        values, counts = zip(*_joined(model.recorded()), strict=True)
        yield _Metric(INVOCATIONS, "ModelLatency", "Microseconds", values, counts)
    if client.total and client.total == model.total:  # else some answers told nothing, and the rest may be others
        mean_us = max(0.0, client.sum_us - model.sum_us) / model.total
        yield _Metric(INVOCATIONS, "OverheadLatency", "Microseconds", [mean_us], [model.total])


def _errors(windows: Sequence[Window], completed: int, *, with_model_errors: bool) -> Iterator[_Metric]:
    kinds: Counter[str] = Counter()
    originals: Counter[str] = Counter()  # by the first digit of the container's own status
    for window in windows:
        kinds.update(window.counts.errors)
        for detail, count in window.counts.details.items():
            if found := _ORIGINAL.fullmatch(detail):
                originals[found[1]] += count
    failures = {
        "Invocation4XXErrors": kinds[Kind.CLIENT_ERROR] + kinds[Kind.THROTTLED] + originals["4"],
        "Invocation5XXErrors": kinds[Kind.SERVER_ERROR] + originals["5"],
    }
    if with_model_errors:
        failures["InvocationModelErrors"] = sum(kinds[kind] for kind in _OF_THE_MODEL)
    for name, count in failures.items():
        # One for each failure and zero for each other invocation: the average is the ratio.
        pairs = [(value, n) for value, n in ((0, completed - count), (1, count)) if n]
        yield _Metric(INVOCATIONS, name, "None", *zip(*pairs, strict=True))


def _of_machine(windows: Sequence[Window], behaviour: Behaviour, instances: int) -> Iterator[_Metric]:
    """By the fleet's performance model, at the rate that was measured."""
    length_s = sum(window.length_s for window in windows)
    yield _Metric(INSTANCES, "MemoryUtilization", "Percent", [behaviour.memory_percent])
    if behaviour.serverless:
        shares = [min(1.0, window.load.in_flight / behaviour.servers) for window in windows]
        name = "ServerlessConcurrentExecutionsUtilization"
        counted = sorted(Counter(round(10_000 * share) for share in shares).items())
        values, counts = zip(*_joined(counted), strict=True)
        yield _Metric(INVOCATIONS, name, "None", [value / 10_000 for value in values], counts)
        return
    rate_per_min = 60 * sum(window.ok for window in windows) / length_s / instances if length_s else 0.0
    for name, percent in (
        ("CPUUtilization", behaviour.cpu_percent(rate_per_min)),
        ("DiskUtilization", behaviour.disk_percent),
        ("GPUUtilization", behaviour.gpu_percent(rate_per_min)),
        ("GPUMemoryUtilization", behaviour.gpu_memory_percent),
    ):
        if percent is not None:
            yield _Metric(INSTANCES, name, "Percent", [percent])


def _merged(payloads: Sequence[str]) -> Histogram:
    whole = Histogram()
    for payload in payloads:
        if payload:
            whole.add(Histogram.decode(payload))
    return whole


def _joined(counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(value, count), rising, at most MAX_VALUES; neighbours are joined under the higher value: no tail is hidden."""
    size = -(-len(counts) // MAX_VALUES) or 1
    groups = [counts[i : i + size] for i in range(0, len(counts), size)]
    return [(group[-1][0], sum(count for _, count in group)) for group in groups]
