"""What a master believes of a worker's messages, and a worker of its master's: types and bounds, before anything else.

Nobody vouches for what comes over the network. Each function gives the value that a message tells, or raises ValueError
with what is wrong with it. Pure.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.core.measure.counts import MAX_DETAILS
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan

__all__ = ["Ready", "WindowBounds", "clock_times", "count", "failure", "members", "ready", "text", "user_times"]

MAX_TEXT = 4096
MAX_ITEMS = 1_000_000
FAULTS = ("spec", "target", "engine")
MOST_PER_S = 1_000_000.0  # no generator process sends more: a null target, which sends nothing, does 300,000
MAX_HISTOGRAM_BYTES = 1 << 18  # 23,552 counters of at most nine bytes
SLACK_S = 120.0  # a worker that was late may tell of a time after the plan's end
HISTOGRAMS = ("latency", "model_latency", "response", "ttfb", "inter_chunk", "connect")


def members(data: object) -> Mapping[str, Any]:
    """A message's members; ValueError if it has none."""
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise ValueError("it is no object")
    return data


def text(data: Mapping[str, Any], name: str, most: int = MAX_TEXT) -> str:
    value = data.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"its {name} is no text of at most {most} characters")
    return value


def finite(data: Mapping[str, Any], name: str, most: float = 1e12) -> float:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) > most:
        raise ValueError(f"its {name} is no number within {most:g}")
    return float(value)


def count(data: Mapping[str, Any], name: str, most: float = MAX_ITEMS) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"its {name} is no count of at most {most:,.0f}")
    return value


@dataclass(frozen=True, slots=True)
class Ready:
    """digest, payload: hex SHA-256 of the plan as understood and of the bodies. facts: of the target."""

    digest: str
    payload: str
    facts: Mapping[str, str]


def ready(data: object) -> Ready:
    told = members(data)
    facts = members(told.get("facts"))
    if len(facts) > 100 or not all(isinstance(value, str) and len(value) <= MAX_TEXT for value in facts.values()):
        raise ValueError("its facts are no short texts")
    return Ready(text(told, "digest", 64), text(told, "payload", 64), dict(facts))


def clock_times(data: object) -> tuple[float, float]:
    """(asked, answered): epoch seconds of the two clocks."""
    told = members(data)
    return finite(told, "asked"), finite(told, "here")


def failure(data: object) -> tuple[str, list[str]]:
    """(fault, problems)."""
    told = members(data)
    problems = told.get("problems")
    if told.get("fault") not in FAULTS:
        raise ValueError(f"its fault is none of {', '.join(FAULTS)}")
    if not isinstance(problems, list) or len(problems) > 1000:
        raise ValueError("its problems are no list")
    if not all(isinstance(each, str) and len(each) <= MAX_TEXT for each in problems):
        raise ValueError("its problems are no short texts")
    return str(told["fault"]), problems


def user_times(data: Mapping[str, Any], name: str, end_s: float) -> list[list[float]]:
    """[[user, planned_s, actual_s], ...] of users that started or stopped."""
    found = data.get(name)
    if not isinstance(found, (list, tuple)) or len(found) > MAX_ITEMS:
        raise ValueError(f"its {name} are no list")
    for row in found:
        numbers = isinstance(row, (list, tuple)) and len(row) == 3 and all(_is_number(value) for value in row)
        if not numbers or not isinstance(row[0], int) or not -SLACK_S <= min(row) <= max(row[1:]) <= end_s + SLACK_S:
            raise ValueError(f"its {name} have a row that is no user and two times of the run")
    return [list(row) for row in found]


class WindowBounds:
    """What a window of one worker of `plan` can be at the most."""

    def __init__(self, plan: Plan) -> None:
        self._users = plan.curve.peak
        self._end_s = plan.end_s + plan.options.drain_s + SLACK_S
        self._most_index = int(self._end_s / plan.options.window_s) + 1
        self.end_s = self._end_s

    def window(self, data: object) -> Window:
        """The window that a message tells of. Raises ValueError with the first thing that cannot be."""
        values = members(data)
        index = count(values, "index", self._most_index)
        start_s, end_s = finite(values, "start_s"), finite(values, "end_s")
        if not -SLACK_S <= start_s <= end_s <= self._end_s:
            raise ValueError(f"its window {index} is not within the run")
        if values.get("level") is not None:
            count(values, "level", self._most_index)
        most = MOST_PER_S * max(end_s - start_s, 1.0) + self._users
        for name in ("users", "running"):
            count(values, name, self._users)
        for name in ("ok", "over", "clamped", "user_clock", "spawned", "intended", "late", "very_late", "dropped"):
            count(values, name, most)
        for name in ("workers", "lost_workers"):
            count(values, name, 1)
        count(values, "bytes_in", 1e15)
        for name, value in values.items():
            if name.endswith(("_s", "_ms", "cpu", "steal", "active", "in_flight")) and value is not None:
                finite(values, name)
        for name in ("errors", "details"):
            kinds = members(values.get(name))
            if len(kinds) > MAX_DETAILS + 1 or any(len(kind) > MAX_TEXT for kind in kinds):
                raise ValueError(f"its {name} are too many")
            for kind in kinds:
                count(kinds, kind, most)
        self._batches(values, most)
        self._histograms(values)
        try:
            return Window.from_dict(values)
        except (TypeError, ValueError) as problem:
            raise ValueError(f"its window {index} is none: {problem}") from None

    def _batches(self, values: Mapping[str, Any], most: float) -> None:
        batches = values.get("over_batches")
        if not isinstance(batches, (list, tuple)) or len(batches) > 1000:
            raise ValueError("its over_batches are no list")
        for batch in batches:
            if not isinstance(batch, (list, tuple)) or len(batch) != 2:
                raise ValueError("its over_batches are no pairs")
            n, over = ({"n": value} for value in batch)
            if count(over, "n", most) > count(n, "n", most):
                raise ValueError("its over_batches have more over the limit than there are")

    def _histograms(self, values: Mapping[str, Any]) -> None:
        for name in HISTOGRAMS:
            encoded = values.get(name, "")
            if not isinstance(encoded, str) or len(encoded) > 1 << 20:
                raise ValueError(f"its {name} is no histogram")
            total = Histogram.decode(_unpacks_small(encoded)).total if encoded else 0
            # Clamped values count at the border, so every success is in it.
            if name == "latency" and total != values["ok"]:
                raise ValueError(f"its histogram holds {total:,} latencies of {values['ok']:,} successes")
            if name == "model_latency" and total > values["ok"]:
                raise ValueError("it tells more model latencies than successes")


def _unpacks_small(encoded: str) -> str:
    """`encoded`, if what it is packed from is no larger than any histogram's."""
    try:
        unpacking = zlib.decompressobj()
        unpacking.decompress(base64.b64decode(encoded, validate=True)[8:], MAX_HISTOGRAM_BYTES)
    except (binascii.Error, zlib.error, ValueError) as problem:
        raise ValueError(f"it tells a histogram that is none: {problem}") from None
    if unpacking.unconsumed_tail:
        raise ValueError("it tells a histogram that is too large")
    return encoded


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
