"""What a job tells the outside world while it runs: log lines and metrics, as AWS keeps them in CloudWatch.

Log streams are `<job>/execution` and `<job>/Endpoint/<endpoint>` of the group LOG_GROUP. Values only, no I/O: the
emulator carries them to CloudWatch, an embedder may do anything else with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["LOG_GROUP", "EventSink", "MetricPoint", "NoEvents", "endpoint_stream", "execution_stream"]

LOG_GROUP = "/aws/sagemaker/InferenceRecommendationsJobs"


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A metric over one minute.

    namespace, name, unit, dimensions: CloudWatch's words (Microseconds, Milliseconds, Percent, None).
    time_s: the minute's start, epoch seconds; the run's start in the minute that began before it.
    values, counts: its distribution, at most 150 pairs (PutMetricData's limit), never empty.
    """

    namespace: str
    name: str
    unit: str
    dimensions: Mapping[str, str]
    time_s: float
    values: tuple[float, ...]
    counts: tuple[float, ...]


class EventSink(Protocol):
    """Where events go. Called from several threads; `log` and `metric` must not raise.

    log: one line of one stream; time_s: epoch seconds, never less than that of the stream's line before. metric: one
    minute of one metric.
    """

    def log(self, stream: str, message: str, time_s: float) -> None: ...

    def metric(self, point: MetricPoint) -> None: ...


class NoEvents:
    """An EventSink that keeps nothing."""

    def log(self, stream: str, message: str, time_s: float) -> None:
        """Nothing."""

    def metric(self, point: MetricPoint) -> None:
        """Nothing."""


def execution_stream(job_name: str) -> str:
    """The stream of the job as a whole."""
    return f"{job_name}/execution"


def endpoint_stream(job_name: str, endpoint_name: str) -> str:
    """The stream of one tested endpoint."""
    return f"{job_name}/Endpoint/{endpoint_name}"
