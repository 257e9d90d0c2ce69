"""Runs in Prometheus's text formats: what a scrape gets, and the textfile for node_exporter.

prometheus_client writes the formats and picks one by the Accept header; the samples come from a collector of ours,
because its own counters and histograms can only be told single observations. The native histogram beside the classic
one is for OpenMetrics 2.0 alone: prometheus_client writes it in no other format, and no protobuf at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder, make_wsgi_app, write_to_textfile
from prometheus_client.openmetrics.exposition import UNDERSCORES
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import BucketSpan, NativeHistogram, Sample

from loadtest.core.measure.histogram import Histogram
from loadtest.export.buckets import BOUNDS_S, explicit, exponential
from loadtest.export.metrics import DURATION, FAMILIES, REQUESTS, Metrics, Point

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["application_of", "registry_of", "write_textfile"]

Source = Callable[[], Sequence[Metrics]]
"""The metrics of every run so far."""

NATIVE_TYPE = "application/openmetrics-text; version=2."
RUN = ("testid", "endpoint", "variant")
EXTRA = {"requests": ("outcome", "error_type"), "verdict": ("threshold", "state")}
NEVER_ZERO_S = 2.0**-128  # below it a value would count as zero; the client libraries' own default


class _Runs(Collector):
    """source: the metrics of every run so far. native: with native histograms."""

    def __init__(self, source: Source, native: bool) -> None:
        self._source = source
        self._native = native

    def collect(self) -> Iterator[Metric]:
        runs = self._source()
        yield _durations(runs, self._native)
        found = [(run, point) for run in runs for point in (*run.requests(), *run.gauges())]
        for family in FAMILIES[1:]:
            names = (*RUN, *EXTRA.get(family.name, ()))
            make = CounterMetricFamily if family is REQUESTS else GaugeMetricFamily
            metric = make(family.flat.removesuffix("_total"), family.text, labels=names)
            for run, point in found:
                if point.family is family:
                    metric.add_metric(_values(run, point, names), point.value)
            yield metric


def application_of(source: Source) -> WSGIApplication:
    """What answers a scrape, at any path, in the format that it asks for."""
    classic, native = (make_wsgi_app(registry_of(source, native=native)) for native in (False, True))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        chosen = native if content_type.startswith(NATIVE_TYPE) else classic
        answer: Iterable[bytes] = chosen(environ, start_response)
        return answer

    return application


def registry_of(source: Source, *, native: bool = False) -> CollectorRegistry:
    """A registry whose every collection asks `source`. native: with native histograms, for OpenMetrics 2.0."""
    registry = CollectorRegistry()
    registry.register(_Runs(source, native))
    return registry


def write_textfile(path: str, source: Source) -> None:
    """Write the classic format to `path`: a reader sees the old file or the new one, whole. Raises OSError."""
    write_to_textfile(path, registry_of(source), UNDERSCORES)


def _durations(runs: Sequence[Metrics], native: bool) -> Metric:
    metric = HistogramMetricFamily(DURATION.flat, DURATION.text, labels=RUN)
    for run in runs:
        histogram = run.duration or Histogram()
        *cumulative, total = explicit(histogram)
        buckets = [(f"{bound_s}", count) for bound_s, count in zip(BOUNDS_S, cumulative, strict=True)]
        metric.add_metric([*run.labels.named().values()], [*buckets, ("+Inf", total)], run.counts.latency_sum_s)
        if native:
            found = _native(histogram, run.counts.latency_sum_s)
            metric.samples.append(Sample(DURATION.flat, run.labels.named(), 0.0, native_histogram=found))
    return metric


def _native(histogram: Histogram, sum_s: float) -> NativeHistogram:
    found = exponential(histogram)
    # Prometheus numbers a bucket by its upper bound, and writes each count as the difference from the one before.
    spans = (BucketSpan(found.offset + 1, len(found.counts)),) if found.counts else None
    before = (0, *found.counts[:-1])
    deltas = [count - last for count, last in zip(found.counts, before, strict=False)]
    return NativeHistogram(histogram.total, sum_s, found.scale, NEVER_ZERO_S, 0, spans, None, deltas or None)


def _values(run: Metrics, point: Point, names: Sequence[str]) -> list[str]:
    labels = {**run.labels.named(), **point.labels}
    return [labels[name] for name in names]
