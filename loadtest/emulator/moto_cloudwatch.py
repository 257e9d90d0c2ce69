"""What moto's CloudWatch lacks, taught to it: it answers as before where nothing of this is asked.

- Percentiles and counts (`TC(:300)`), in GetMetricStatistics and GetMetricData. moto has none, and would keep an object
  for each sample of a distribution; so a job's minutes are put as StatisticValues, and their distributions are handed
  over beside the call (`carried`). They live and go with moto's own data.
- StartTime is rounded down to the minute, as CloudWatch does: what a job measured since its CreationTime is found.
- A look-up by metric. moto compares every sample with every metric (ListMetrics) or with every period asked for.
- Log events of a job in virtual time, which may lie further ahead than CloudWatch takes from others (`carried`).

All of it replaces methods of moto 5.1 and 5.2, `moto/cloudwatch/models.py` and `moto/logs/models.py`; may go as moto
gets them.
"""

from __future__ import annotations

import threading
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from loadtest.emulator.percentiles import Pair, is_known, statistic_of
from loadtest.jobs.events import MetricPoint

__all__ = ["carried", "teach_moto"]

_UNTAUGHT = "untaught_"
_EMULATED = "only percentiles (p99.9) and counts by value (TC(:300)) are emulated"
_STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")

_Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions: one metric."""

# What is under way in this thread's call of moto: the points that a job puts, None if somebody else calls; and the
# ExtendedStatistics that moto reads and passes on to nobody.
_points: ContextVar[Sequence[MetricPoint] | None] = ContextVar("points", default=None)
_extended: ContextVar[tuple[str, ...]] = ContextVar("extended", default=())
_lock = threading.RLock()


@contextmanager
def carried(points: Sequence[MetricPoint] = ()) -> Iterator[None]:
    """While the block runs, this thread's calls of moto are a job's own: its log lines, or exactly these points."""
    token = _points.set(points)
    try:
        yield
    finally:
        _points.reset(token)


def teach_moto() -> None:
    """Teach moto in this process, once."""
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.logs.models import LogsBackend

    lessons: list[tuple[Any, Callable[..., Any]]] = [
        (CloudWatchBackend, put_metric_data),
        (CloudWatchBackend, get_filtered_metrics),
        (CloudWatchBackend, get_metric_data),
        (CloudWatchBackend, get_metric_statistics),
        (CloudWatchResponse, answer_metric_statistics),
        (LogsBackend, put_log_events),
    ]
    with _lock:
        for taught, method in lessons:
            name = method.__name__.replace("answer", "get")
            if not hasattr(taught, _UNTAUGHT + name):
                setattr(taught, _UNTAUGHT + name, getattr(taught, name))
                setattr(taught, name, method)


def put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """CloudWatchBackend's, which takes the points' distributions along."""
    points = _points.get()
    with _lock:
        before = len(self.metric_data)
        self.untaught_put_metric_data(namespace, metric_data)
        for datum, point in zip(self.metric_data[before:], points or (), strict=points is not None):
            if len(point.values) > 1:  # else its minimum and maximum say it
                datum.distribution = array("d", point.values), array("d", point.counts)


def get_filtered_metrics(self: Any, metric_name: str, namespace: str, dimensions: Any) -> list[Any]:
    """CloudWatchBackend's: one sample of each metric that fits."""
    return [of_one[0] for of_one in _series(self).values() if of_one[0].filter(namespace, metric_name, dimensions)]


def get_metric_statistics(
    self: Any,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    dimensions: list[dict[str, str]],
    unit: str | None = None,
) -> list[Any]:
    """CloudWatchBackend's, with the extended statistics that its caller was asked for."""
    from moto.cloudwatch.exceptions import InvalidParameterValue
    from moto.cloudwatch.models import Statistics

    extended = _extended.get()
    if unknown := [name for name in extended if not is_known(name)]:
        raise InvalidParameterValue(f"ExtendedStatistics {', '.join(unknown)}: {_EMULATED}")
    if start_time.replace(microsecond=0) >= end_time.replace(microsecond=0):
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    fitting = (of for of in _series(self).values() if of[0].filter(namespace, metric_name, dimensions))
    data = [datum for of_one in fitting for datum in of_one]
    found: list[Any] = []
    for time, of_period in _periods(data, start_time, end_time, period, unit):
        one: Any = Statistics(stats, time)
        one.metric_data, one.unit = of_period, of_period[-1].unit
        values = {name: _extended_of(of_period, name) for name in extended}
        one.extended_statistics = {name: value for name, value in values.items() if value is not None} or None
        if stats or one.extended_statistics:
            found.append(one)
    return found


def answer_metric_statistics(self: Any) -> Any:
    """CloudWatchResponse's get_metric_statistics, which reads ExtendedStatistics and tells nobody."""
    token = _extended.set(tuple(self._get_param("ExtendedStatistics") or ()))
    try:
        return self.untaught_get_metric_statistics()
    finally:
        _extended.reset(token)


def get_metric_data(
    self: Any,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """CloudWatchBackend's, which also knows percentiles and looks for each metric once."""
    from moto.cloudwatch.metric_data_expression_parser import parse_expression

    plain = [query for query in queries if "MetricStat" in query]
    others = [query for query in queries if "MetricStat" not in query]
    sums = [query for query in others if not query["Expression"].startswith("SELECT")]
    rest = [query for query in others if query["Expression"].startswith("SELECT")]
    selected = self.untaught_get_metric_data(rest, start_time, end_time, scan_by)  # refuses wrong times as well
    results: list[dict[str, Any]] = []
    for query in plain:
        stat = query["MetricStat"]
        points = _queried(self, stat, start_time, end_time)
        if scan_by == "TimestampDescending":
            points.reverse()
        label = query.get("Label") or f"{stat['Metric']['MetricName']} {stat['Stat']}"
        results.append(_result(query["Id"], label, [value for _, value in points], [time for time, _ in points]))
    returned = [of for of, query in zip(results, plain, strict=True) if query.get("ReturnData", True)]
    for query in sums:
        values, times = parse_expression(query["Expression"], results)
        returned.append(_result(query["Id"], query.get("Label") or query["Id"], values, times))
    return returned + list(selected)


def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
    """LogsBackend's, which takes a job's own lines at any time."""
    group = self.groups.get(log_group_name)
    if _points.get() is None or group is None:
        return self.untaught_put_log_events(log_group_name, log_stream_name, log_events)
    return group.put_log_events(log_stream_name, log_events), {}


def _series(backend: Any) -> Mapping[_Key, Sequence[Any]]:
    """The samples of each metric that a backend has, as they came; metrics that moto computes at each question last."""
    with _lock:
        # In the backend, so that it goes when moto is reset.
        known: defaultdict[_Key, list[Any]] = backend.__dict__.setdefault("series", defaultdict(list))
        seen = backend.__dict__.get("in_series", 0)
        for datum in backend.metric_data[seen:]:
            known[_key(datum)].append(datum)
        backend.in_series = len(backend.metric_data)
        found: dict[_Key, Sequence[Any]] = {key: tuple(of_one) for key, of_one in known.items()}
    for datum in backend.aws_metric_data:
        found[_key(datum)] = (*found.get(_key(datum), ()), datum)
    return found


def _key(datum: Any) -> _Key:
    return datum.namespace, datum.name, frozenset((each.name, each.value) for each in datum.dimensions)


def _queried(backend: Any, stat: Mapping[str, Any], start: datetime, end: datetime) -> list[tuple[datetime, Any]]:
    """(time, value) of each period that has one, by a MetricStat of GetMetricData."""
    from moto.cloudwatch.exceptions import InvalidParameterValue
    from moto.cloudwatch.models import Statistics

    metric, name = stat["Metric"], stat["Stat"]
    if name not in _STATISTICS and not is_known(name):
        raise InvalidParameterValue(f"Stat {name}: besides {', '.join(_STATISTICS)}, {_EMULATED}")
    asked = {(each["Name"], each["Value"]) for each in metric.get("Dimensions") or ()}
    data = [
        datum
        for (namespace, metric_name, dimensions), of_one in _series(backend).items()
        if (namespace, metric_name) == (metric["Namespace"], metric["MetricName"]) and asked in (set(), dimensions)
        for datum in of_one
    ]
    found: list[tuple[datetime, Any]] = []
    period = int(stat["Period"])
    for time, of_period in _periods(data, start, end, period, stat.get("Unit")):
        one = Statistics([name], time)
        one.metric_data = of_period
        value = _extended_of(of_period, name) if is_known(name) else one.get_statistics_for_type(name)
        if value is not None:
            found.append((time, value))
    return found


def _periods(
    data: Iterable[Any], start: datetime, end: datetime, period_s: int, unit: str | None
) -> Iterator[tuple[datetime, list[Any]]]:
    """The samples of [start, end) by period, with its beginning; only periods that have one."""
    start = _from_whole(start, period_s)
    start_s, end_s = _epoch_s(start), _epoch_s(end)
    inside = [d for d in data if (not unit or d.unit == unit) and start_s <= _epoch_s(d.timestamp) < end_s]
    inside.sort(key=lambda datum: _epoch_s(datum.timestamp))
    for number, of_period in groupby(inside, key=lambda datum: (_epoch_s(datum.timestamp) - start_s) // period_s):
        yield start + timedelta(seconds=number * period_s), list(of_period)


def _extended_of(data: Sequence[Any], statistic: str) -> float | None:
    """None: of some samples only sums are known, or there is none."""
    pairs: list[Pair] = []
    for datum in data:
        if hasattr(datum, "distribution"):
            pairs.extend(zip(*datum.distribution, strict=True))
        elif hasattr(datum, "value"):
            pairs.append((datum.value, 1.0))
        elif datum.min == datum.max:
            pairs.append((datum.min, datum.sample_count))
        else:
            return None
    return statistic_of(pairs, statistic)


def _from_whole(time: datetime, period_s: int) -> datetime:
    """Down to the minute, or to the shorter period's beginning (API_GetMetricStatistics, StartTime)."""
    over_s = _epoch_s(time) % min(max(period_s, 1), 60)
    return time - timedelta(seconds=over_s)


def _epoch_s(time: datetime) -> float:
    # moto's times are naive UTC in some places and aware in others.
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _result(name: str, label: str, values: Sequence[Any], times: Sequence[datetime]) -> dict[str, Any]:
    return {"id": name, "label": label, "values": values, "timestamps": times, "status_code": "Complete"}
