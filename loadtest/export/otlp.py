"""Runs in OpenTelemetry's data model, filled from `Metrics`.

The SDK's meters are left out: an instrument takes single observations, and a window is a histogram. What is made here
is the model that the SDK's own exporters send (`export/send.py`). No clock, no I/O.

`http.client.request.duration` is the stable semantic convention's, with its required attributes. Of requests that
failed windows know the number and not the durations, so their points have a count and neither sum nor buckets.
Source: opentelemetry.io/docs/specs/semconv/http/http-metrics
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from loadtest.core.measure import histogram as hdr
from loadtest.export.buckets import BOUNDS_S, explicit, exponential
from loadtest.export.metrics import DURATION, FAMILIES, REQUESTS, Family, Metrics
from loadtest.version import VERSION

__all__ = ["HTTP_DURATION", "Stretch", "metrics_data"]

HTTP_DURATION = "http.client.request.duration"
METHOD = "POST"  # of every target that speaks HTTP
_STATUS = re.compile(r"([1-5]\d\d)(/\d+)?")  # how a failure's detail begins where the answer had one: "424/500"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a run measured from `start_ns` to `end_ns`, epoch ns. metrics: its counts are of this stretch alone.

    delta: it begins where the one before ended; else at the run's start, whatever was sent before.
    """

    metrics: Metrics
    start_ns: int
    end_ns: int
    delta: bool = False

    @property
    def temporality(self) -> AggregationTemporality:
        return AggregationTemporality.DELTA if self.delta else AggregationTemporality.CUMULATIVE


def metrics_data(stretches: Sequence[Stretch], resource: Resource) -> MetricsData:
    """One request's worth of data: every family of every run."""
    scope = InstrumentationScope("loadtest", VERSION)
    metrics = [metric for stretch in stretches for metric in _metrics(stretch)]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _metrics(stretch: Stretch) -> Iterator[Metric]:
    run = stretch.metrics
    yield _metric(DURATION, ExponentialHistogram([_exponential(stretch)], stretch.temporality))
    requests = [_number(stretch, point.value, point.labels) for point in run.requests()]
    yield _metric(REQUESTS, Sum(requests, stretch.temporality, True))
    gauges = [*run.gauges()]
    for family in FAMILIES:
        found = [_number(stretch, point.value, point.labels) for point in gauges if point.family is family]
        if found:
            yield _metric(family, Gauge(found))
    if run.facts is not None and (url := run.facts.get("target_url")) is not None:
        points = [*_http_points(stretch, _server(url))]
        yield Metric(HTTP_DURATION, "Duration of HTTP client requests.", "s", Histogram(points, stretch.temporality))


def _metric(family: Family, data: Any) -> Metric:
    return Metric(family.dotted, family.text, family.unit, data)


def _number(stretch: Stretch, value: float, labels: Mapping[str, str]) -> NumberDataPoint:
    # A label that says nothing is no attribute.
    named = {**stretch.metrics.labels.named(), **labels}
    attributes = {name: text for name, text in named.items() if text}
    return NumberDataPoint(attributes, stretch.start_ns, stretch.end_ns, value)


def _exponential(stretch: Stretch) -> ExponentialHistogramDataPoint:
    run = stretch.metrics
    histogram = run.duration or hdr.Histogram()
    found = exponential(histogram)
    return ExponentialHistogramDataPoint(
        attributes=_labels(run),
        start_time_unix_nano=stretch.start_ns,
        time_unix_nano=stretch.end_ns,
        count=histogram.total,
        sum=run.counts.latency_sum_s,
        scale=found.scale,
        zero_count=0,
        positive=Buckets(found.offset, found.counts),
        negative=Buckets(0, ()),
        flags=0,
        min=None,  # type: ignore[arg-type]  # they are optional, and of a stretch not known
        max=None,  # type: ignore[arg-type]
    )


def _http_points(stretch: Stretch, server: Mapping[str, str | int]) -> Iterator[HistogramDataPoint]:
    run = stretch.metrics
    histogram = run.duration or hdr.Histogram()
    cumulative = explicit(histogram)
    counts = [high - low for low, high in zip((0, *cumulative), cumulative, strict=False)]
    base = {**_labels(run), "http.request.method": METHOD, **server}
    # InvokeEndpoint has one status of success. Other servers have several, which windows do not tell apart.
    is_aws = "target_region" in (run.facts or {})
    answered: dict[str, str | int] = {**base, "http.response.status_code": 200} if is_aws else base
    if histogram.total:
        yield _http_point(stretch, answered, histogram.total, run.counts.latency_sum_s, counts, BOUNDS_S)
    for (kind, status), n in _failures(run).items():
        told: dict[str, str | int] = {} if status is None else {"http.response.status_code": status}
        yield _http_point(stretch, {**base, "error.type": kind, **told}, n, None, (), ())


def _http_point(
    stretch: Stretch,
    attributes: Mapping[str, str | int],
    count: int,
    sum_s: float | None,
    counts: Sequence[int],
    bounds_s: Sequence[float],
) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=stretch.start_ns,
        time_unix_nano=stretch.end_ns,
        count=count,
        sum=sum_s,  # type: ignore[arg-type]  # optional, as are the extremes
        bucket_counts=counts,
        explicit_bounds=bounds_s,
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
    )


def _failures(run: Metrics) -> dict[tuple[str, int | None], int]:
    """(kind, HTTP status) -> how many; None: there was no answer, or its status is not known."""
    found: Counter[tuple[str, int | None]] = Counter()
    left = Counter(run.counts.errors)
    for name, n in run.counts.details.items():
        kind, _, detail = name.partition(" ")
        match = _STATUS.fullmatch(detail)
        if match is not None and kind in left:
            n = min(n, left[kind])
            found[kind, int(match[1])] += n
            left[kind] -= n
    for kind, n in left.items():
        found[kind, None] += n
    return {key: n for key, n in found.items() if n}


def _labels(run: Metrics) -> dict[str, str]:
    return {name: text for name, text in run.labels.named().items() if text}


def _server(url: str) -> dict[str, str | int]:
    parts = urlsplit(url)
    return {"server.address": parts.hostname or "", "server.port": parts.port or _PORTS.get(parts.scheme, 443)}
