"""CloudWatch's metrics of an endpoint: which there are, in what unit and how often, and one question for all of them.

Latencies are asked for by their unit: a point in another one is left out, not misread. Plain statistics and extended
ones (percentiles, counts) are asked for apart, since not everything that speaks this API knows the latter.

Sources: developer guide, "SageMaker AI metrics in CloudWatch" and "enhanced metrics for inference endpoints"; API
reference of MetricsConfig and of GetMetricData; user guide of CloudWatch, "Statistics definitions".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any

from loadtest.aws.clients import Clients
from loadtest.core.result.periods import PERCENTILES
from loadtest.core.result.spread import counted_name

__all__ = ["METRICS", "Metric", "Place", "Points", "ask", "place_of"]

INVOCATIONS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
PERIOD_S = 60
SHORT_S = 3 * 3600  # points of less than a minute live no longer
MOST_QUERIES = 500  # of one GetMetricData
LATENCY = ("Average", "Minimum", "Maximum", "SampleCount")

Key = tuple[str, str]
"""Metric and variant ("" for an inference component)."""
Points = dict[Key, dict[float, dict[str, float]]]
"""What was told: of each metric and variant, by the period's beginning (epoch seconds), a value by statistic."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric that may be there. name, namespace, statistics: as CloudWatch calls them.

    unit: that is asked for; None: any, it has no scale.
    extended: percentiles and counts are asked for besides. of_component: published for an inference component (True),
    for a variant (False) or for both (None).
    """

    name: str
    namespace: str
    statistics: tuple[str, ...]
    unit: str | None = None
    extended: bool = False
    of_component: bool | None = None


METRICS: tuple[Metric, ...] = (
    Metric("ModelLatency", INVOCATIONS, LATENCY, "Microseconds", extended=True),
    Metric("OverheadLatency", INVOCATIONS, LATENCY, "Microseconds", extended=True),
    Metric("Invocations", INVOCATIONS, ("Sum",)),
    Metric("InvocationsPerInstance", INVOCATIONS, ("Sum",), of_component=False),
    Metric("InvocationsPerCopy", INVOCATIONS, ("Sum",), of_component=True),
    Metric("Invocation4XXErrors", INVOCATIONS, ("Sum",)),
    Metric("Invocation5XXErrors", INVOCATIONS, ("Sum",)),
    Metric("InvocationModelErrors", INVOCATIONS, ("Sum",)),
    Metric("ConcurrentRequestsPerModel", INVOCATIONS, ("Average", "Maximum"), of_component=False),
    Metric("ConcurrentRequestsPerCopy", INVOCATIONS, ("Average", "Maximum"), of_component=True),
    Metric("ModelSetupTime", INVOCATIONS, LATENCY, "Microseconds", of_component=False),
    Metric("CPUUtilization", INSTANCES, ("Average", "Maximum")),
    Metric("MemoryUtilization", INSTANCES, ("Average", "Maximum")),
    Metric("GPUUtilization", INSTANCES, ("Average", "Maximum")),
    Metric("GPUMemoryUtilization", INSTANCES, ("Average", "Maximum")),
    Metric("DiskUtilization", INSTANCES, ("Average", "Maximum")),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint's metrics are. component: an inference component that all requests go to; None: they do not.

    invocations_s, instances_s: how often the two kinds are published, seconds. limits_ms: values that latencies are
    counted below.
    """

    endpoint: str
    variants: tuple[str, ...]
    component: str | None = None
    invocations_s: int = PERIOD_S
    instances_s: int = PERIOD_S
    limits_ms: tuple[float, ...] = ()

    @property
    def log_group(self) -> str:
        kind = ("Endpoints", self.endpoint) if self.component is None else ("InferenceComponents", self.component)
        return "/aws/sagemaker/{}/{}".format(*kind)

    def series(self) -> Iterator[tuple[Metric, str, int, dict[str, str]]]:
        """(metric, variant, period in seconds, dimensions) of everything that may be there."""
        for metric in METRICS:
            if metric.of_component not in (None, self.component is not None):
                continue
            if metric.namespace == INVOCATIONS and self.component is not None:
                yield metric, "", self.invocations_s, {"InferenceComponentName": self.component}
                continue
            period_s = self.invocations_s if metric.namespace == INVOCATIONS else self.instances_s
            for variant in self.variants:
                yield metric, variant, period_s, {"EndpointName": self.endpoint, "VariantName": variant}


def place_of(found: Mapping[str, Any], options: Mapping[str, Any], limits_ms: Sequence[float] = ()) -> Place | None:
    """Of an endpoint that was inspected; None: its variants are not known. options: of the target."""
    names = tuple(str(each["name"]) for each in found.get("variants", ()))
    only = options.get("target_variant")
    variants = tuple(name for name in names if only in (None, name))
    if not variants:
        return None
    told = found.get("metrics") or {}
    period_s = int(told.get("period_s") or PERIOD_S)
    return Place(
        str(found["name"]),
        variants,
        options.get("inference_component_name"),
        invocations_s=period_s if told.get("enhanced") else PERIOD_S,
        instances_s=period_s,
        limits_ms=tuple(limits_ms),
    )


@dataclass(slots=True)
class Answer:
    """What one question was answered.

    points: what was told. offset_s: this machine's clock less AWS's, to a second; None: not told.
    """

    points: Points = field(default_factory=dict)
    offset_s: float | None = None


def ask(clients: Clients, place: Place, from_s: float, now_s: float, *, extended: bool) -> Answer:
    """Every point of [from_s, now_s], epoch seconds, of the plain statistics or of the extended ones.

    Raises one of UNANSWERED.
    """
    answer = Answer()
    asked = list(_questions(place, extended=extended))
    for period_s, of_period in groupby(sorted(asked, key=_period), key=_period):
        since_s = from_s if period_s >= PERIOD_S else max(from_s, now_s - SHORT_S + PERIOD_S)
        start_s = math.floor(since_s / period_s) * period_s
        end_s = (math.floor(now_s / period_s) + 1) * period_s
        questions = list(of_period)
        for i in range(0, len(questions), MOST_QUERIES):
            _ask(clients, questions[i : i + MOST_QUERIES], start_s, end_s, answer, now_s)
    return answer


Question = tuple[int, Key, str, dict[str, Any]]
"""Period in seconds, metric and variant, statistic, MetricStat."""


def _period(question: Question) -> int:
    return question[0]


def _questions(place: Place, *, extended: bool) -> Iterator[Question]:
    more = (*(f"p{share * 100:g}" for share in PERCENTILES), *(counted_name(limit) for limit in place.limits_ms))
    for metric, variant, period_s, dimensions in place.series():
        statistics = metric.statistics if not extended else more if metric.extended else ()
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        for statistic in statistics:
            stat: dict[str, Any] = {
                "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": named},
                "Period": period_s,
                "Stat": statistic,
            }
            yield (
                period_s,
                (metric.name, variant),
                statistic,
                stat if metric.unit is None else {**stat, "Unit": metric.unit},
            )


def _ask(
    clients: Clients, questions: Sequence[Question], start_s: float, end_s: float, answer: Answer, now_s: float
) -> None:
    queries = [{"Id": f"q{i}", "MetricStat": stat} for i, (_, _, _, stat) in enumerate(questions)]
    pages = clients.client("cloudwatch").get_paginator("get_metric_data")
    span = {"StartTime": datetime.fromtimestamp(start_s, UTC), "EndTime": datetime.fromtimestamp(end_s, UTC)}
    for page in pages.paginate(MetricDataQueries=queries, **span):
        for told in page.get("MetricDataResults", ()):
            _, key, statistic, _ = questions[int(told["Id"][1:])]
            of_key = answer.points.setdefault(key, {})
            for time, value in zip(told.get("Timestamps", ()), told.get("Values", ()), strict=True):
                of_key.setdefault(time.timestamp(), {})[statistic] = float(value)
        date = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date is not None and answer.offset_s is None:
            answer.offset_s = _offset_s(date, now_s)


def _offset_s(date: str, now_s: float) -> float | None:
    try:
        # A Date is cut to whole seconds: half of one is the best guess of what is missing.
        return round(now_s - parsedate_to_datetime(date).timestamp() - 0.5, 1)
    except (TypeError, ValueError):
        return None
