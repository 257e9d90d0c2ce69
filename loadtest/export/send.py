"""Sends runs by OTLP, over HTTP or gRPC, as the OTEL_* variables say.

The SDK's exporters do it, with their retries, compression, certificates and credentials.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_METRIC_EXPORT_INTERVAL,
)
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, Resource

from loadtest.errors import Problem, SpecError, masked
from loadtest.export.metrics import Labels, Metrics
from loadtest.export.otlp import Stretch, metrics_data

__all__ = ["EVERY_S", "OtlpSender"]

EVERY_S = 10.0  # OpenTelemetry's own minute is long for a load test
HTTP, GRPC = "http/protobuf", "grpc"
MOST_WORDS = 300
_RETRY = re.compile(r",? retrying in [\d.]+ ?s\.?")
Made = TypeVar("Made")


class OtlpSender:
    """Sends what is known of every run. Raises SpecError for OTEL_* variables that cannot be used.

    source: the metrics of every run so far. every_s: how often to send.
    """

    def __init__(self, source: Callable[[], Sequence[Metrics]]) -> None:
        self._source = source
        self._words = _Words()
        self._exporter, self._resource = _settings(_exporter), _settings(_resource)
        if self._words.text:
            raise SpecError([Problem("--otlp", "", f"the OTEL_* variables cannot be used: {self._words.text}")])
        self.every_s = _settings(_every_s)
        wanted = os.environ.get(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, "")
        self._delta = wanted.strip().upper() in ("DELTA", "LOWMEMORY")
        self._begun_ns: dict[Labels, int] = {}
        self._acknowledged: dict[Labels, tuple[Metrics, int]] = {}

    def begin(self, labels: Labels) -> None:
        """A run begins now."""
        self._begun_ns[labels] = time.time_ns()

    def send(self) -> None:
        """One export. Raises RuntimeError with what the exporter said if it is lost."""
        runs, now_ns = self._source(), time.time_ns()
        if not runs:
            return
        stretches = [self._stretch(run, now_ns) for run in runs]
        self._words.text = ""
        if self._exporter.export(metrics_data(stretches, self._resource)) is not MetricExportResult.SUCCESS:
            raise RuntimeError(masked(self._words.text) or "no answer in time")
        # A delta that was lost is in the next one: counted from what the receiver has.
        self._acknowledged = {run.labels: (run, now_ns) for run in runs}

    def close(self) -> None:
        """Give up what is being sent, and send nothing more."""
        self._exporter.shutdown(timeout_millis=0)

    def _stretch(self, run: Metrics, now_ns: int) -> Stretch:
        begun_ns = self._begun_ns.get(run.labels, now_ns)
        if not self._delta:
            return Stretch(run, begun_ns, now_ns)
        if run.labels not in self._acknowledged:
            return Stretch(run, begun_ns, now_ns, delta=True)
        earlier, since_ns = self._acknowledged[run.labels]
        return Stretch(run.since(earlier), since_ns, now_ns, delta=True)


class _Words(logging.Handler):
    """Keeps the first that the SDK logs, which would be written across a terminal: the reason for what is lost.

    It stays: the SDK's threads may have a word to say while the process ends.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        log = logging.getLogger("opentelemetry")
        log.handlers, log.propagate = [self], False

    def emit(self, record: logging.LogRecord) -> None:
        self.text = self.text or _RETRY.sub("", record.getMessage())[:MOST_WORDS]


def _settings(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except (SpecError, ModuleNotFoundError):
        raise
    except Exception as problem:  # the SDK raises whatever its parsers do
        rule = f"the OTEL_* variables cannot be used: {problem}"
        raise SpecError([Problem("--otlp", "", rule)]) from problem


def _exporter() -> MetricExporter:
    name = next((n for n in (OTEL_EXPORTER_OTLP_METRICS_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL) if n in os.environ), "")
    protocol = os.environ.get(name, "").strip() or HTTP
    if protocol == HTTP:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Http

        return Http()
    if protocol == GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Grpc

        return Grpc()
    raise SpecError([Problem(name, protocol, f"is not spoken here; {HTTP} and {GRPC} are")])


def _resource() -> Resource:
    """Who sends, by OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME; `loadtest` if they do not say."""
    found = Resource.create()
    named = str(found.attributes.get(SERVICE_NAME, ""))
    return found.merge(Resource({SERVICE_NAME: "loadtest"})) if named.startswith("unknown_service") else found


def _every_s() -> float:
    text = os.environ.get(OTEL_METRIC_EXPORT_INTERVAL, "").strip()
    if not text:
        return EVERY_S
    if not text.isdigit() or not int(text):
        raise SpecError([Problem(OTEL_METRIC_EXPORT_INTERVAL, text, "must be a number of milliseconds above 0")])
    return int(text) / 1000
