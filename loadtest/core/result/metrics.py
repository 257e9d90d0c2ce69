"""The API's figures from what was measured: the formulas R1 to R5, as pure functions.

    per_instance     = highest rate of successes, per minute, while the conditions held   (R1)
    count            = ceil(target / per_instance) with a MaxInvocations target, else 1    (R2)
    MaxInvocations   = per_instance x count                           per minute           (R3)
    CostPerHour      = price x count                                  USD, float32         (R4)
    CostPerInference = CostPerHour / (MaxInvocations x 60)            USD, float32         (R4)
    ModelLatency     = the percentile, or the threshold if that ended the test; ms         (R5)

The costs are rounded to float32 because the API's own are (0.204 is printed as 0.20399999618530273).
Sources: docs/decisions.md; the published result rows, which are test data.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import numpy as np

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.plateau import plateau_start

__all__ = [
    "BestRate",
    "best_rate",
    "cost_per_hour",
    "cost_per_inference",
    "initial_instance_count",
    "max_invocations_per_min",
    "model_latency_ms",
]

SLACK_S = 1e-6  # window bounds are sums of floats


@dataclass(frozen=True, slots=True)
class BestRate:
    """The highest rate found (R1).

    per_min: successes per minute. start_s, end_s: the stretch of whole windows it was measured in.
    level: of its last window; None: that window straddles two.
    estimated: the stretch is shorter than the rate window, so the rate is extrapolated (S1).
    """

    per_min: float
    start_s: float
    end_s: float
    level: int | None
    estimated: bool


def best_rate(
    windows: Sequence[Window],
    rate_window_s: float = 60.0,
    threshold: LatencyThreshold | None = None,
    broken: Container[int | None] = (),
    target_per_min: int | None = None,
) -> BestRate | None:
    """The highest rate of successes over `rate_window_s` while the conditions held (R1); None if they never did. Where
    more users brought no more it is that of the plateau's beginning: which of its stretches happens to have the highest
    rate says nothing, but the latency of each is another.

    windows: of the traffic, in time order, without those of the draining.
    threshold: a stretch with more than its share of requests over the limit does not count; None: no condition.
    broken: levels whose verdict is "not met"; a stretch with one of their windows does not count.
    target_per_min: MaxInvocations; a rate that reached it is not given up for one that did not.
    If no stretch is long enough, the best level's rate is extrapolated and marked as an estimate.
    """
    pieces = [list(piece) for intact, piece in groupby(windows, lambda w: w.level not in broken) if intact]
    full = [found for piece in pieces for found in _rolling(piece, rate_window_s, threshold)]
    if full:
        return _chosen(full, target_per_min)
    by_level = (
        _Sums(list(part)) for piece in pieces for level, part in groupby(piece, lambda w: w.level) if level is not None
    )
    short = [
        (rate, sums.users(0, len(sums.windows)))
        for sums in by_level
        if (rate := sums.rate(0, len(sums.windows), estimated=True, threshold=threshold)) is not None
    ]
    return _chosen(short, target_per_min) if short else None


def _chosen(found: Sequence[tuple[BestRate, float]], target_per_min: int | None) -> BestRate:
    """Of rates with their mean users: the plateau's beginning, or the highest if there is no plateau."""
    reached = [each for each in found if target_per_min is not None and each[0].per_min >= target_per_min]
    kept = reached or found
    start = plateau_start([(users, rate.per_min) for rate, users in kept])
    return max(kept, key=lambda each: each[0].per_min)[0] if start is None else kept[start][0]


class _Sums:
    """Running sums of consecutive windows, so that any stretch of them costs two subtractions."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self._ok = [0, *accumulate(w.ok for w in windows)]
        self._completed = [0, *accumulate(w.completed for w in windows)]
        self._over = [0, *accumulate(w.counts.over for w in windows)]
        self._user_s = [0.0, *accumulate(w.load.active * w.length_s for w in windows)]

    def rate(self, first: int, end: int, *, estimated: bool, threshold: LatencyThreshold | None) -> BestRate | None:
        """Of windows first .. end - 1; None: nothing succeeded, or the latency condition did not hold there."""
        start_s, end_s = self.windows[first].start_s, self.windows[end - 1].end_s
        ok = self._ok[end] - self._ok[first]
        if not ok or end_s <= start_s:
            return None
        if threshold is not None:
            over, completed = self._over[end] - self._over[first], self._completed[end] - self._completed[first]
            # The percentile is given in whole per cent; 1 - 0.95 is 0.05000000000000004 in binary.
            if over > round((1 - threshold.percentile) * completed, 9):
                return None
        return BestRate(60 * ok / (end_s - start_s), start_s, end_s, self.windows[end - 1].level, estimated)

    def users(self, first: int, end: int) -> float:
        """Mean number of active ones in windows first .. end - 1."""
        length_s = self.windows[end - 1].end_s - self.windows[first].start_s
        return (self._user_s[end] - self._user_s[first]) / length_s


def _rolling(
    windows: Sequence[Window], rate_window_s: float, threshold: LatencyThreshold | None
) -> Iterator[tuple[BestRate, float]]:
    """The rate of the shortest stretch of at least `rate_window_s` that ends with each window, and its mean users."""
    sums = _Sums(windows)
    first = 0
    for last, window in enumerate(windows):
        while first < last and window.end_s - windows[first + 1].start_s >= rate_window_s - SLACK_S:
            first += 1
        if window.end_s - windows[first].start_s >= rate_window_s - SLACK_S:
            rate = sums.rate(first, last + 1, estimated=False, threshold=threshold)
            if rate is not None:
                yield rate, sums.users(first, last + 1)


def initial_instance_count(per_instance_per_min: float, target_per_min: int | None) -> int:
    """R2: how many instances serve the target; 1 without a target (Default jobs give none).

    Raises ValueError if the per-instance rate is below one a minute: no number of instances follows from it.
    """
    per_instance = int(per_instance_per_min)
    if per_instance < 1:
        raise ValueError(f"a per-instance rate is at least 1 a minute, got {per_instance_per_min:g}")
    return 1 if target_per_min is None else -(-target_per_min // per_instance)


def max_invocations_per_min(per_instance_per_min: float, instance_count: int) -> int:
    """R3: whole requests per minute of the recommended count. A fraction of a request was not served."""
    return int(per_instance_per_min) * instance_count


def cost_per_hour(price_per_hour_usd: float, instance_count: int) -> float:
    """R4, in USD as the nearest float32."""
    return float(np.float32(price_per_hour_usd * instance_count))


def cost_per_inference(cost_per_hour_usd: float, max_invocations_per_min: int) -> float:
    """R4, in USD as the nearest float32. Raises ValueError without invocations."""
    if max_invocations_per_min < 1:
        raise ValueError(f"a cost per inference needs invocations, got {max_invocations_per_min} a minute")
    return float(np.float32(cost_per_hour_usd / (max_invocations_per_min * 60)))


def model_latency_ms(
    measured_ms: float | None, threshold: LatencyThreshold | None, latency_ended: bool
) -> float | None:
    """R5: what is reported as ModelLatency. None: nothing was measured and no threshold ended the test."""
    if latency_ended and threshold is not None:
        return float(threshold.limit_ms)
    return measured_ms
