"""The API's figures from what was measured: the formulas R1 to R5, as pure functions.

    per_instance     = mean rate of successes, per minute, of the best level that held     (R1)
    count            = ceil(target / its lower end) with a MaxInvocations target, else 1   (R2)
    MaxInvocations   = per_instance x count                           per minute           (R3)
    ModelLatency     = the percentile, or the threshold if that ended the test; ms         (R5)

What it costs (R4) is in cost.py. Sources: docs/decisions.md; the published result rows, which are test data.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, islice
from statistics import NormalDist

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.search.capacity import Capacity
from loadtest.core.stats.plateau import plateau_start
from loadtest.core.stats.rates import mean_rate
from loadtest.core.stats.student import student
from loadtest.core.traffic.plan import Plan

__all__ = [
    "BestRate",
    "best_rate",
    "capacity_rate",
    "initial_instance_count",
    "max_invocations_per_min",
    "model_latency_ms",
    "sure_per_min",
]

SLACK_S = 1e-6  # window bounds are sums of floats
LEAST_WINDOWS = 3  # of a stretch whose rate has an interval


@dataclass(frozen=True, slots=True)
class BestRate:
    """The highest rate found (R1).

    per_min: successes per minute, the mean of its stretch. start_s, end_s: of the stretch, which is of whole windows.
    level: of its last window; None: that window straddles two.
    estimated: the stretch is shorter than the rate window, so the rate is extrapolated (S1).
    low_per_min, high_per_min: 95 % interval, corrected for having chosen the highest of several; None: too few windows.
    peak_per_min: the highest rolling rate over a full rate window, which luck made highest; None: there was none.
    """

    per_min: float
    start_s: float
    end_s: float
    level: int | None
    estimated: bool
    low_per_min: float | None = None
    high_per_min: float | None = None
    peak_per_min: float | None = None


def best_rate(
    windows: Sequence[Window],
    rate_window_s: float = 60.0,
    threshold: LatencyThreshold | None = None,
    broken: Container[int | None] = (),
    target_per_min: int | None = None,
) -> BestRate | None:
    """The highest rate of successes while the conditions held (R1); None if they never did.

    It is the mean of a level that is at least `rate_window_s` long, or, where levels are shorter (a ramp), of as long a
    stretch of them; such stretches do not overlap, and the last one ends where the ramp does.
    windows: of the traffic, in time order, without those of the draining.
    threshold: a stretch with more than its share of requests over the limit does not count; None: no condition.
    broken: levels whose verdict is "not met"; a stretch with one of their windows does not count.
    target_per_min: stretches that reached it are chosen from, if there are any; None: there was none.
    If no stretch is long enough, the best level's rate is extrapolated and marked as an estimate.
    """
    pieces = [list(piece) for intact, piece in groupby(windows, lambda w: w.level not in broken) if intact]
    parts = [part for piece in pieces for part in _stretches(piece, rate_window_s)]
    estimated = not any(_held(part, threshold) for part in parts)
    if estimated:
        levels = (groupby(piece, lambda w: w.level) for piece in pieces)
        parts = [list(part) for each in levels for level, part in each if level is not None]
    kept = [part for part in parts if _held(part, threshold)]
    if not kept:
        return None
    rates = [60 * _ok(part) / (part[-1].end_s - part[0].start_s) for part in kept]
    at = _chosen(rates, [_users(part) for part in kept], target_per_min)
    best, per_min = kept[at], rates[at]
    low, high = _interval(best, len(kept))
    peak = max((rate for piece in pieces for rate in _rolling(piece, rate_window_s, threshold)), default=None)
    return BestRate(per_min, best[0].start_s, best[-1].end_s, best[-1].level, estimated, low, high, peak)


def capacity_rate(found: Capacity, plan: Plan, windows: Sequence[Window]) -> BestRate | None:
    """The rate at the capacity that a search found, with its interval; None: it found none.

    Its stretch is the longest visit of that load, or else of the highest that was shown to meet the objective. A search
    for the plateau has a best load even where it found none, and the stretch in which it held that to the end.
    """
    load = found.shown_met if plan.search is not None and plan.search.goal == "plateau" else found.load
    if found.per_min is None or load is None:
        return None
    windows = [window for window in windows if window.start_s >= found.evidence.get("held_from_s", 0.0)]
    visits = (list(visit) for _, visit in groupby(windows, lambda w: w.level))
    loads = [0.0 if plan.search is None else plan.search.start, *(load for _, load in plan.moves)]
    by_load: dict[float, list[list[Window]]] = {}
    for visit in visits:
        if visit[0].level is not None:
            by_load.setdefault(loads[visit[0].level], []).append(visit)
    wanted = (load, found.shown_met, max((x for x in by_load if x <= load), default=None))
    held = next((by_load[load] for load in wanted if load in by_load), [])
    if not held:
        return None
    longest = max(held, key=lambda visit: visit[-1].end_s - visit[0].start_s)
    start_s, end_s, level = longest[0].start_s, longest[-1].end_s, longest[-1].level
    ends = [rate for rate in (found.per_min_low, found.per_min_high) if rate is not None]
    low, high = (min(ends), max(ends)) if len(ends) == 2 else (None, None)
    return BestRate(found.per_min, start_s, end_s, level, False, low, high)


def _chosen(rates: Sequence[float], users: Sequence[float], target_per_min: int | None) -> int:
    """Index of the plateau's beginning, or of the highest rate if there is none.

    Where more users bring no more, which stretch has the highest rate is chance, but the latency of each is another.
    """
    reached = [i for i, rate in enumerate(rates) if target_per_min is not None and rate >= target_per_min]
    kept = reached or range(len(rates))
    start = plateau_start([(users[i], rates[i]) for i in kept])
    return max(kept, key=rates.__getitem__) if start is None else kept[start]


def _users(windows: Sequence[Window]) -> float:
    """Mean number of active ones."""
    length_s = windows[-1].end_s - windows[0].start_s
    return sum(window.load.active * window.length_s for window in windows) / length_s


def _stretches(windows: Sequence[Window], rate_window_s: float) -> Iterator[list[Window]]:
    """The long levels; of what lies between them, stretches of at least `rate_window_s`, the last one at its end.

    A level that the run's end cut short makes a stretch with the end of what was before it.
    """
    short: list[Window] = []
    for level, part in groupby(windows, lambda w: w.level):
        found = list(part)
        if level is None or found[-1].end_s - found[0].start_s < rate_window_s - SLACK_S:
            short.extend(found)
        else:
            yield from _cut(short, rate_window_s)
            short = []
            yield found
    if short and short[-1].end_s - short[0].start_s < rate_window_s - SLACK_S:
        yield from islice(_cut(windows, rate_window_s), 1)
    else:
        yield from _cut(short, rate_window_s)


def _cut(windows: Sequence[Window], rate_window_s: float) -> Iterator[list[Window]]:
    end = len(windows)
    for first in range(len(windows) - 1, -1, -1):
        if windows[end - 1].end_s - windows[first].start_s >= rate_window_s - SLACK_S:
            yield list(windows[first:end])
            end = first
            if not end:
                return


def _ok(windows: Sequence[Window]) -> int:
    return sum(window.ok for window in windows)


def _held(windows: Sequence[Window], threshold: LatencyThreshold | None) -> bool:
    """Something succeeded, and the latency condition held."""
    if not _ok(windows) or windows[-1].end_s <= windows[0].start_s:
        return False
    completed = sum(window.counts.judged for window in windows)
    return threshold is None or _allowed(sum(window.counts.over for window in windows), completed, threshold)


def _allowed(over: int, completed: int, threshold: LatencyThreshold) -> bool:
    # The percentile is given in whole per cent; 1 - 0.95 is 0.05000000000000004 in binary.
    return over <= round((1 - threshold.percentile) * completed, 9)


def _interval(windows: Sequence[Window], chosen_from: int) -> tuple[float | None, float | None]:
    """Of the rate of the highest of so many stretches: all of their intervals hold together (Bonferroni)."""
    if len(windows) < LEAST_WINDOWS:
        return None, None
    per_s, error_per_s, freedom = mean_rate([w.ok for w in windows], [w.length_s for w in windows])
    margin = error_per_s * student(NormalDist().inv_cdf(1 - 0.025 / chosen_from), freedom)
    return round(60 * max(per_s - margin, 0.0), 3), round(60 * (per_s + margin), 3)


def _rolling(windows: Sequence[Window], rate_window_s: float, threshold: LatencyThreshold | None) -> Iterator[float]:
    """Per minute, of the shortest stretch of at least `rate_window_s` that ends with each window and held."""
    ok = [0, *accumulate(w.ok for w in windows)]
    completed = [0, *accumulate(w.counts.judged for w in windows)]
    over = [0, *accumulate(w.counts.over for w in windows)]
    first = 0
    for last, window in enumerate(windows):
        while first < last and window.end_s - windows[first + 1].start_s >= rate_window_s - SLACK_S:
            first += 1
        length_s = window.end_s - windows[first].start_s
        if length_s < rate_window_s - SLACK_S or ok[last + 1] == ok[first]:
            continue
        if threshold is None or _allowed(
            over[last + 1] - over[first], completed[last + 1] - completed[first], threshold
        ):
            yield 60 * (ok[last + 1] - ok[first]) / length_s


def sure_per_min(best: BestRate, reached_per_min: int | None) -> float:
    """What one instance is sure to serve, for R2: the lower end of the best rate, at least 1.

    reached_per_min: the MaxInvocations target if that ended the run: one instance served it for a full rate window.
    """
    low = best.per_min if best.low_per_min is None else best.low_per_min
    return max(low, 1.0, reached_per_min or 0.0)


def initial_instance_count(per_instance_per_min: float, target_per_min: int | None) -> int:
    """R2: how many instances serve the target; 1 without a target (Default jobs give none).

    per_instance_per_min: what one is sure to serve (`sure_per_min`).

    Raises ValueError if the per-instance rate is below one a minute: no number of instances follows from it.
    """
    per_instance = int(per_instance_per_min)
    if per_instance < 1:
        raise ValueError(f"a per-instance rate is at least 1 a minute, got {per_instance_per_min:g}")
    return 1 if target_per_min is None else -(-target_per_min // per_instance)


def max_invocations_per_min(per_instance_per_min: float, instance_count: int) -> int:
    """R3: whole requests per minute of the recommended count. A fraction of a request was not served."""
    return int(per_instance_per_min) * instance_count


def model_latency_ms(
    measured_ms: float | None, threshold: LatencyThreshold | None, latency_ended: bool
) -> float | None:
    """R5: what is reported as ModelLatency. None: nothing was measured and no threshold ended the test."""
    if latency_ended and threshold is not None:
        return float(threshold.limit_ms)
    return measured_ms
