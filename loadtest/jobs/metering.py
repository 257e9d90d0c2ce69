"""Windows of a run as CloudWatch metrics, a minute at a time: what AWS's load generator and endpoints publish.

/aws/sagemaker/InferenceRecommendationsJobs (JobName, EndpointName): NumberOfUsers, ClientInvocations,
ClientInvocationErrors, ClientLatency in milliseconds. AWS/SageMaker (EndpointName, VariantName): Invocations,
ModelLatency in microseconds. /aws/sagemaker/Endpoints: CPUUtilization, MemoryUtilization, by the fleet's model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.jobs.events import LOG_GROUP, EventSink, MetricPoint
from loadtest.jobs.fleet_model import Behaviour

__all__ = ["Meter"]

MINUTE_S = 60.0
MAX_VALUES = 150  # values in one PutMetricData item


class Meter:
    """Collects the windows of one test and sends a point per metric and minute. Not thread-safe.

    start_s: epoch seconds of the run's start. behaviour, instances: of the endpoint; None: its use is not known.
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
        if windows:
            for point in self._points(windows, self._minute * MINUTE_S):
                self._events.metric(point)

    def _points(self, windows: Sequence[Window], time_s: float) -> Iterator[MetricPoint]:
        completed = sum(window.completed for window in windows)
        failed = sum(window.failed for window in windows)
        users = _joined(sorted(Counter(window.load.running for window in windows).items()))

        def of_job(name: str, unit: str, values: Sequence[float], counts: Sequence[float] = (1.0,)) -> MetricPoint:
            return MetricPoint(LOG_GROUP, name, unit, self._job, time_s, tuple(values), tuple(counts))

        def of_variant(
            namespace: str, name: str, unit: str, values: Sequence[float], counts: Sequence[float] = (1.0,)
        ) -> MetricPoint:
            return MetricPoint(namespace, name, unit, self._variant, time_s, tuple(values), tuple(counts))

        yield of_job("NumberOfUsers", "None", [float(n) for n, _ in users], [float(count) for _, count in users])
        yield of_job("ClientInvocations", "None", [float(completed)])
        yield of_job("ClientInvocationErrors", "None", [float(failed)])
        yield of_variant("AWS/SageMaker", "Invocations", "None", [float(completed)])
        client = _distribution([window.latencies.client.encoded for window in windows])
        if client:
            yield of_job("ClientLatency", "Milliseconds", [us / 1000 for us, _ in client], [n for _, n in client])
        model = _distribution([window.latencies.model.encoded for window in windows])
        if model:
            yield of_variant(
                "AWS/SageMaker", "ModelLatency", "Microseconds", [us for us, _ in model], [n for _, n in model]
            )
        if self._behaviour is not None:
            length_s = sum(window.length_s for window in windows)
            ok = sum(window.ok for window in windows)
            cpu = self._behaviour.cpu_percent(60 * ok / length_s / self._instances) if length_s else None
            if cpu is not None:
                yield of_variant("/aws/sagemaker/Endpoints", "CPUUtilization", "Percent", [cpu])
            yield of_variant(
                "/aws/sagemaker/Endpoints", "MemoryUtilization", "Percent", [self._behaviour.memory_percent]
            )


def _distribution(payloads: Sequence[str]) -> list[tuple[float, float]]:
    """(latency in us, count) of the merged histograms, at most MAX_VALUES."""
    whole = Histogram()
    for payload in payloads:
        if payload:
            whole.add(Histogram.decode(payload))
    return [(float(us), float(count)) for us, count in _joined(whole.recorded())]


def _joined(counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(value, count), rising, at most MAX_VALUES; neighbours are joined under the higher value: no tail is hidden."""
    size = -(-len(counts) // MAX_VALUES) or 1
    groups = [counts[i : i + size] for i in range(0, len(counts), size)]
    return [(group[-1][0], sum(count for _, count in group)) for group in groups]
