"""Percentiles for moto's CloudWatch.

moto answers Sum, Average, Minimum, Maximum and SampleCount and has nothing for `p99` (moto 5.2,
moto/cloudwatch/models.py, Statistics.get_statistics_for_type). It would also keep one Python object per count of a
distribution, so a minute of 30,000 requests cannot be put as Values and Counts. Hence the minutes of a job go to moto
as StatisticValues, exact and one object each, while their distributions stay here, and moto's Statistics asks here for
percentiles. May go when moto keeps distributions itself.
"""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from loadtest.jobs.events import MetricPoint

__all__ = ["Distributions", "teach_moto"]

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_KEPT_MINUTES = 200_000  # about ten full-length jobs of ten tests; the oldest go first

_ORIGINAL = "without_percentiles"

_Key = tuple[str, str, frozenset[tuple[str, str]], int]


class Distributions:
    """Values and counts of every minute that was put, found by namespace, name, dimensions and time."""

    def __init__(self) -> None:
        self._minutes: OrderedDict[_Key, tuple[tuple[float, ...], tuple[float, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, point: MetricPoint) -> None:
        """Remember a minute; a second one of the same time replaces the first."""
        key = _key(point.namespace, point.name, point.dimensions.items(), point.time_s)
        with self._lock:
            self._minutes[key] = (point.values, point.counts)
            if len(self._minutes) > _KEPT_MINUTES:
                self._minutes.popitem(last=False)

    def percentile(self, keys: Iterable[_Key], percent: float) -> float | None:
        """The smallest value that at least `percent` % of all samples do not exceed; None without samples (S3)."""
        with self._lock:
            minutes = [self._minutes[key] for key in keys if key in self._minutes]
        pairs = sorted(pair for values, counts in minutes for pair in zip(values, counts, strict=True))
        return _at_rank(pairs, percent)


def _at_rank(pairs: Sequence[tuple[float, float]], percent: float) -> float | None:
    total = math.fsum(count for _, count in pairs)
    if not total:
        return None
    # The difference of a few ulps must not push a rank to the next sample.
    rank = math.ceil(percent / 100 * total - 1e-9)
    seen = 0.0
    for value, count in pairs:
        seen += count
        if seen >= rank:
            return value
    return pairs[-1][0]


def teach_moto(distributions: Distributions) -> None:
    """Let moto in this process answer percentile statistics of what is in `distributions`.

    Everything else that moto answers stays as it is. The last call in a process wins.
    """
    from moto.cloudwatch.models import Statistics

    known: Any = getattr(Statistics.get_statistics_for_type, _ORIGINAL, Statistics.get_statistics_for_type)

    def get_statistics_for_type(self: Any, stat: str) -> Any:
        named = _PERCENTILE.fullmatch(stat)
        if named is None:
            return known(self, stat)
        keys = [_key(datum.namespace, datum.name, _pairs(datum), _epoch_s(datum)) for datum in self.metric_data]
        return distributions.percentile(keys, float(named[1]))

    # By name, because to a type checker a method is not to be replaced.
    setattr(get_statistics_for_type, _ORIGINAL, known)
    setattr(Statistics, "get_statistics_for_type", get_statistics_for_type)  # noqa: B010


def _epoch_s(datum: Any) -> float:
    # moto's times are naive UTC in some places and aware in others.
    time: datetime = datum.timestamp
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _pairs(datum: Any) -> list[tuple[str, str]]:
    return [(dimension.name, dimension.value) for dimension in datum.dimensions]


def _key(namespace: str, name: str, dimensions: Iterable[tuple[str, str]], time_s: float) -> _Key:
    return namespace, name, frozenset(dimensions), round(time_s)
