"""Whether a window that a worker tells of can be one of the plan: types, bounds, figures that agree. Pure."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any

from loadtest.core.measure.counts import MAX_DETAILS
from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.histogram import HIGHEST_US, LOWEST_US, Histogram
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.sampled import MOST_PER_WINDOW
from loadtest.core.measure.window import Span, Window
from loadtest.core.traffic.plan import Plan
from loadtest.engine.cluster.heard import count, finite, members
from loadtest.engine.messages import MAX_TEXT

__all__ = ["WindowBounds", "most_running"]

MOST_PER_S = 1_000_000.0  # no generator process sends more: a null target, which sends nothing, does 300,000
MOST_CORES = 4096
MAX_HISTOGRAM_BYTES = 1 << 18  # 23,552 counters of at most nine bytes
SLACK_S = 120.0  # a worker that was late may tell of a time after the plan's end
LOOP_S = 1.0  # what a window's users did is asked for a turn of the loop after its end
MOST_COUNT = 1e15  # of a histogram's counter, so that sums of them stay exact
SHARE = 1e-3  # a counter stands for a range of values of that size
FAILURES = frozenset(kind.value for kind in Kind) - {Kind.OK.value}
TIMES = ("spawn_lag_sum_s", "spawn_lag_max_s", "loop_lag_s", "lookup_s", "tcp_s", "handshake_s")
COUNTS = ("ok", "over", "clamped", "user_clock", "spawned", "intended", "late", "very_late", "dropped", "connects")
KINDS = ("client", "model", "response", "ttfb", "inter_chunk", "connect")
FIGURES = ("p50_ms", "p95_ms", "p99_ms")
MEMBERS = frozenset(Window(Span(0, 0.0, 0.0)).to_dict())


class WindowBounds:
    """What a window of one worker of `plan` can be at the most. end_s: no time of the run is later."""

    def __init__(self, plan: Plan) -> None:
        self._users = plan.peak
        self._running = most_running(plan)
        self._levels = len(plan_levels(plan))
        if plan.search is not None:
            self._levels = int(plan.end_s / plan.options.window_s) + 1  # a move a window at the most
        self.end_s = plan.end_s + plan.options.drain_s + SLACK_S
        self._most_index = int(self.end_s / plan.options.window_s) + 1

    def window(self, data: object) -> Window:
        """The window that a message tells of. Raises ValueError with the first thing that cannot be."""
        values = members(data)
        if odd := MEMBERS ^ (values.keys() - {"requests"}):
            raise ValueError(f"its window has other members than windows have: {sorted(odd)[0][:40]!r}")
        index = count(values, "index", self._most_index)
        start_s, end_s = finite(values, "start_s"), finite(values, "end_s")
        if not -SLACK_S <= start_s <= end_s <= self.end_s:
            raise ValueError(f"its window {index} is not within the run")
        if values.get("level") is not None:
            count(values, "level", self._levels - 1)
        most = MOST_PER_S * max(end_s - start_s, 1.0) + self._users
        self._numbers(values, most)
        for name, most_kinds in (("errors", len(FAILURES)), ("details", MAX_DETAILS + 1), ("dead_addresses", 100)):
            _kinds(values, name, most_kinds, most)
        _kinds(values, "connect_causes", 100, most)
        if unknown := set(members(values["errors"])) - FAILURES:
            raise ValueError(f"its errors are of kinds that there are not: {sorted(unknown)[0][:40]!r}")
        _sampled(values.get("requests", ()))
        try:
            window = Window.from_dict(values)
        except (TypeError, ValueError) as problem:
            raise ValueError(f"its window {index} is none: {problem}") from None
        if window.load.active * window.length_s > self._running * (window.length_s + LOOP_S):
            raise ValueError(f"its active are {window.load.active:,.0f} of {self._running:,} users")
        _agrees(window)
        return window

    def _numbers(self, values: Mapping[str, Any], most: float) -> None:
        count(values, "users", self._users)
        count(values, "running", self._running)
        for name in COUNTS:
            count(values, name, most)
        count(values, "reconnects", values["connects"])
        count(values, "workers", 1)
        count(values, "lost_workers", 0)
        count(values, "bytes_in", 1e15)
        for name in ("active", "in_flight"):
            finite(values, name, 0.0)
        for name in TIMES:
            finite(values, name, 0.0)
        finite(values, "latency_sum_s")
        finite(values, "cpu", 0.0, MOST_CORES)
        finite(values, "steal", 0.0, 1.0)
        finite(values, "clock_step_s")
        finite(values, "suspended_s", 0.0)
        for name, value in values.items():
            if name.endswith("_ms") and value is not None:
                finite(values, name)  # below 0 where a wall clock was set back; what it can be, the histogram says
        batches = values.get("over_batches")
        if not isinstance(batches, (list, tuple)) or len(batches) > 1000:
            raise ValueError("its over_batches are no list")
        for batch in batches:
            if not isinstance(batch, (list, tuple)) or len(batch) != 2:
                raise ValueError("its over_batches are no pairs")
            n, over = ({"n": value} for value in batch)
            if count(over, "n", most) > count(n, "n", most):
                raise ValueError("its over_batches have more over the limit than there are")


def most_running(plan: Plan) -> int:
    """How many users a plan has at the most, those included that finish a last request while others have begun."""
    if plan.search is not None:
        # Users that leave finish a request of a minute at the most; a search seldom moves more than ten times in one.
        return 10 * plan.peak
    return sum(change for _, change in plan.curve.changes() if change > 0)


def _sampled(requests: Any) -> None:
    """Requests that were drawn for `requests.csv`: (place, latency in us or -1, the model's or -1)."""
    if not isinstance(requests, (list, tuple)) or len(requests) > MOST_PER_WINDOW:
        raise ValueError(f"its requests are no list of at most {MOST_PER_WINDOW:,}")
    for row in requests:
        whole = isinstance(row, (list, tuple)) and len(row) == 3 and all(type(value) is int for value in row)
        if not whole or max(map(abs, row)) > MOST_COUNT:
            raise ValueError("its requests have a row that is no place and two latencies")


def _kinds(values: Mapping[str, Any], name: str, most_kinds: int, most: float) -> None:
    kinds = members(values.get(name))
    if len(kinds) > most_kinds or any(len(kind) > MAX_TEXT for kind in kinds):
        raise ValueError(f"its {name} are too many")
    for kind in kinds:
        count(kinds, kind, most)


def _agrees(window: Window) -> None:
    """Raises ValueError if a figure of the window contradicts another one."""
    counts = window.counts
    if counts.completed and window.length_s <= 0:
        raise ValueError(f"its window {window.index} has requests and no length")
    if sum(counts.details.values()) != counts.failed:
        raise ValueError("its errors and their details are not equally many")
    for name, part in (("over", counts.over), ("user_clock", counts.user_clock)):
        if part > counts.completed:
            raise ValueError(f"its {name} are more than there are requests")
    batched = sum(n for n, _ in counts.over_batches), sum(over for _, over in counts.over_batches)
    if counts.over_batches and batched != (counts.completed - counts.own, counts.over):
        raise ValueError("its over_batches do not add up to its requests")
    if window.sends.very_late > window.sends.late:
        raise ValueError("its very_late requests are more than its late ones")
    totals = {kind: _distribution(kind, getattr(window.latencies, kind)) for kind in KINDS}
    if totals["client"].total != counts.ok:
        raise ValueError(f"its histogram holds {totals['client'].total:,} latencies of {counts.ok:,} successes")
    if totals["connect"].total != window.connections.connects:
        raise ValueError("its histogram holds other connections than it tells")
    for kind in ("model", "response", "ttfb"):
        if totals[kind].total > counts.ok:
            raise ValueError(f"it tells more {kind} latencies than successes")
    _sums_agree(totals["client"], counts.latency_sum_s, counts.clamped)


def _sums_agree(client: Histogram, sum_s: float, clamped: int) -> None:
    """A histogram knows its sum to its counters' width; what lay out of its range it knows not at all."""
    told_us, known_us = sum_s * 1e6, client.sum_us
    slack_us = SHARE * known_us + (LOWEST_US + 1) * client.total
    if not clamped and abs(told_us - known_us) > slack_us:
        raise ValueError(f"its latencies add up to {sum_s:g} s, those of its histogram to {known_us / 1e6:g} s")


def _distribution(kind: str, told: Distribution) -> Histogram:
    """Its histogram, if the figures beside it are that histogram's own."""
    if not isinstance(told.encoded, str) or len(told.encoded) > 1 << 20:
        raise ValueError(f"its {kind} is no histogram")
    histogram = Histogram.decode(_unpacks_small(told.encoded)) if told.encoded else Histogram()
    if not 0 <= histogram.counts.min() <= histogram.counts.max() <= MOST_COUNT:
        raise ValueError(f"its {kind} histogram has a counter that counts nothing real")
    true = Distribution.of(histogram, told.max_ms)
    for name in FIGURES:
        figure, expected = getattr(told, name), getattr(true, name)
        if (figure is None) != (expected is None) or not math.isclose(figure or 0.0, expected or 0.0, abs_tol=1e-9):
            raise ValueError(f"its {kind} {name} is {figure}, that of its histogram {expected}")
    if told.max_ms is not None and not _is_max(told.max_ms * 1000, histogram.max_us):
        raise ValueError(f"its {kind} max_ms is {told.max_ms}, and its histogram has none such")
    return histogram


def _is_max(max_us: float, top_us: int | None) -> bool:
    """Whether the exact maximum lies in the highest counter (rounded to whole us), or beyond the histogram's ends."""
    if top_us is None:
        return False
    least_us = -math.inf if top_us <= LOWEST_US else top_us * (1 - SHARE) - 1
    return least_us <= max_us and (max_us <= top_us + 1 or top_us >= HIGHEST_US)


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


assert set(KINDS) == set(Latencies.__slots__)
