"""The latency that the API reports beside the best rate (R5). No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.counters import counts_over, merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.result.metrics import BestRate, model_latency_ms
from loadtest.core.stats.order import ranks_of, window_effect
from loadtest.core.traffic.plan import Plan

__all__ = ["ModelLatency", "latency_of"]

DEFAULT_PERCENTILE = 0.95  # when the job names no threshold (R5)


@dataclass(frozen=True, slots=True)
class ModelLatency:
    """The latency that goes with the best rate (R5), in ms.

    reported_ms: the threshold if the latency condition ended the test, else `measured_ms`; None: nothing succeeded.
    measured_ms: the percentile over the best rate's stretch, or over all traffic if no rate held the conditions.
    clock: "client" (an upper bound of the model's own time) or "model" (S4).
    clamped: reported is the threshold, not a measurement.
    low_ms, high_ms: 95 % interval of `measured_ms` by order statistics; None: no best rate, or too few requests.
    """

    reported_ms: float | None
    measured_ms: float | None
    percentile: float
    clock: str
    clamped: bool
    low_ms: float | None = None
    high_ms: float | None = None


def latency_of(
    plan: Plan, reason: Reason, traffic: Sequence[Window], best: BestRate | None, client: Histogram, model: Histogram
) -> ModelLatency:
    """Of the best rate's stretch. traffic: its windows; client, model: histograms of the whole run."""
    threshold = plan.stop.latency
    on_model = plan.options.latency_clock != "client" and model.total > 0
    judged = model if on_model else client
    parts: list[str] = []
    if best is not None:
        traffic = [w for w in traffic if best.start_s <= w.start_s and w.end_s <= best.end_s]
        latencies = (w.latencies.model if on_model else w.latencies.judged for w in traffic)
        parts = [latency.encoded for latency in latencies]
        judged = merged(parts)
    elif plan.arrivals is not None and not on_model:
        judged = merged(w.latencies.response.encoded for w in traffic)
    percentile = DEFAULT_PERCENTILE if threshold is None else threshold.percentile
    value_us = judged.percentile_us(percentile)
    measured_ms = None if value_us is None else value_us / 1000
    low_ms, high_ms = _interval_ms(judged, parts, percentile)
    clamped = reason is Reason.LATENCY and threshold is not None
    return ModelLatency(
        reported_ms=model_latency_ms(measured_ms, threshold, clamped),
        measured_ms=measured_ms,
        percentile=percentile,
        clock="model" if on_model else "client",
        clamped=clamped,
        low_ms=low_ms,
        high_ms=high_ms,
    )


def _interval_ms(judged: Histogram, parts: Sequence[str], percentile: float) -> tuple[float | None, float | None]:
    """parts: the windows' histograms, whose sum is `judged`."""
    value_us = judged.percentile_us(percentile) if parts else None
    if value_us is None:
        return None, None
    over, n = counts_over(parts, [int(value_us), 0]).T.astype(np.float64)
    low, high = ranks_of(percentile, judged.total, judged.total / window_effect(n, over))
    return judged.value_at_rank_us(low) / 1000, None if high is None else judged.value_at_rank_us(high) / 1000
