"""The latency that the API reports beside the best rate (R5). No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.result.metrics import BestRate, model_latency_ms
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
    """

    reported_ms: float | None
    measured_ms: float | None
    percentile: float
    clock: str
    clamped: bool


def latency_of(
    plan: Plan, reason: Reason, traffic: Sequence[Window], best: BestRate | None, client: Histogram, model: Histogram
) -> ModelLatency:
    """Of the best rate's stretch. traffic: its windows; client, model: histograms of the whole run."""
    threshold = plan.stop.latency
    on_model = plan.options.latency_clock != "client" and model.total > 0
    judged = model if on_model else client
    if best is not None:
        traffic = [w for w in traffic if best.start_s <= w.start_s and w.end_s <= best.end_s]
        latencies = (w.latencies.model if on_model else w.latencies.judged for w in traffic)
        judged = merged(latency.encoded for latency in latencies)
    elif plan.arrivals is not None and not on_model:
        judged = merged(w.latencies.response.encoded for w in traffic)
    percentile = DEFAULT_PERCENTILE if threshold is None else threshold.percentile
    value_us = judged.percentile_us(percentile)
    measured_ms = None if value_us is None else value_us / 1000
    clamped = reason is Reason.LATENCY and threshold is not None
    return ModelLatency(
        reported_ms=model_latency_ms(measured_ms, threshold, clamped),
        measured_ms=measured_ms,
        percentile=percentile,
        clock="model" if on_model else "client",
        clamped=clamped,
    )
