"""What is concluded from a run's windows: verdicts, trust, the best rate. No clock, no I/O.

A folder keeps what was concluded then, since a later version might read the same windows otherwise; what is kept is
not worked out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.slow import SlowRequests, slow_requests
from loadtest.core.judge.trust import assess
from loadtest.core.judge.verdict import LatencyVerdict, Trust
from loadtest.core.judge.verdicts import overall, replayed, verdicts
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.result.capacity import held_capacity
from loadtest.core.result.metrics import BestRate, best_rate, capacity_rate
from loadtest.core.result.model_latency import ModelLatency, latency_of
from loadtest.core.result.thresholds import ThresholdVerdict
from loadtest.core.search.capacity import Capacity
from loadtest.core.traffic.plan import Plan

__all__ = ["Findings", "findings"]


@dataclass(frozen=True, slots=True)
class Findings:
    """Each as in `RunResult`."""

    trust: Trust
    latency: ModelLatency
    verdicts: tuple[LatencyVerdict, ...] = ()
    overall: LatencyVerdict | None = None
    slow: SlowRequests | None = None
    best: BestRate | None = None
    thresholds: tuple[ThresholdVerdict, ...] = ()
    capacity: Capacity | None = None


def findings(
    plan: Plan,
    windows: Sequence[Window],
    levels: Sequence[LevelResult],
    reason: Reason,
    traffic: Sequence[Window],
    sums: tuple[Histogram, Histogram],
    *,
    workers: Sequence[Worker] = (),
    capacity: Capacity | None = None,
) -> Findings:
    """Of a run that ended for `reason`. windows: all, in order; traffic: without the draining.

    levels: of `windows`. sums: the whole run's histograms, client's and model's. capacity: what a search found; None:
    there was none.
    """
    watch = replayed(plan, windows)
    by_level = verdicts(plan, windows, watch, levels)
    slow = None if watch is None else slow_requests(plan, windows, watch)
    best = _best(plan, traffic, by_level) if capacity is None else capacity_rate(capacity, plan, traffic)
    return Findings(
        trust=assess(plan, windows, workers),
        latency=latency_of(plan, reason, traffic, best, *sums),
        verdicts=by_level,
        overall=overall(plan, windows, by_level, watch, levels),
        slow=slow,
        best=best,
        capacity=held_capacity(plan, traffic, slow) if capacity is None else capacity,
    )


def _best(plan: Plan, traffic: Sequence[Window], by_level: Sequence[LatencyVerdict]) -> BestRate | None:
    broken = {verdict.level for verdict in by_level if verdict.answer == "not met" and verdict.level is not None}
    return best_rate(traffic, plan.options.rate_window_s, plan.stop.latency, broken, plan.stop.max_invocations_per_min)
