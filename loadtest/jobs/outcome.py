"""What a finished load test means for the API: its step's status and figures (R1 to R6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.measure.counters import merged
from loadtest.core.measure.distribution import Distribution
from loadtest.core.request.spec import Serverless
from loadtest.core.result import description
from loadtest.core.result.cost import instance_costs, serverless_costs
from loadtest.core.result.metrics import (
    initial_instance_count,
    max_invocations_per_min,
    sure_per_min,
)
from loadtest.core.result.result import RunResult
from loadtest.jobs.fleet_model import Behaviour
from loadtest.jobs.prices import Prices
from loadtest.jobs.status import Status

__all__ = ["Figures", "costs", "failure_text", "figures_of", "recommendation_metrics", "step_status_of"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one endpoint served at the point that is reported: invocations per minute and ModelLatency in ms.

    sure_per_min: what it is sure to serve, for the number of instances; None: that is not told apart.
    mean_ms: how long an invocation took there on the average, as measured; ModelLatency is a percentile, and may be
    the threshold. estimated: the rate is extrapolated from less than a full rate window.
    """

    per_min: float
    latency_ms: float
    mean_ms: float
    estimated: bool = False
    sure_per_min: float | None = None


def figures_of(result: RunResult) -> Figures | None:
    """The reported point of a run: the highest rate while the conditions held, or where the plateau of a Default job's
    search begins; None: there is no rate of at least 1 a minute.
    """
    best = result.best
    if best is None:
        return None
    windows = [each for each in result.windows if best.start_s <= each.start_s and each.end_s <= best.end_s]
    on_model = result.latency.clock == "model"
    told = [each.latencies.model if on_model else each.latencies.client for each in windows]
    reached = result.plan.stop.max_invocations_per_min if result.reason is Reason.MAX_INVOCATIONS else None
    found = _figures(best.per_min, result.model_latency_ms, told, best.estimated)
    return None if found is None else replace(found, sure_per_min=sure_per_min(best, reached))


def _figures(
    per_min: float, latency_ms: float | None, told: Iterable[Distribution], estimated: bool = False
) -> Figures | None:
    if latency_ms is None or per_min < 1:
        return None
    mean_us = merged(each.encoded for each in told).mean_us
    return Figures(per_min, latency_ms, latency_ms if mean_us is None else mean_us / 1000, estimated)


def step_status_of(result: RunResult, figures: Figures | None) -> Status:
    """The status of the step whose run this was. A search that found nothing to report has failed."""
    if result.searched and result.reason is Reason.CAPACITY and figures is None:
        return Status.FAILED
    return Status(REASONS[result.reason].job_status)


def failure_text(result: RunResult) -> str:
    """Why a run failed, with its most frequent failures, as one sentence."""
    most = sorted(result.totals.counts.details.items(), key=lambda item: -item[1])[:3]
    seen = ", ".join(f"{count} x {detail}" for detail, count in most)
    why = str(result.evidence.get("why", "")) if result.reason is Reason.ENGINE_LOST else ""
    reason = Reason.ERRORS if result.reason is Reason.CAPACITY else result.reason  # of the first load of a search
    parts = [f"The load test ended because {REASONS[reason].sentence}", why, seen and f"InvokeEndpoint: {seen}"]
    return "; ".join(part for part in parts if part)


def recommendation_metrics(
    figures: Figures,
    *,
    instance_type: str | None,
    serverless: Serverless | None,
    behaviour: Behaviour | None,
    prices: Prices,
    target_per_min: int | None,
) -> tuple[dict[str, Any], int]:
    """RecommendationMetrics and InitialInstanceCount. Members that are not known are absent (R6).

    target_per_min: the job's MaxInvocations; serverless endpoints have no instances to count, so it is not used then.
    """
    count = (
        1 if serverless is not None else initial_instance_count(figures.sure_per_min or figures.per_min, target_per_min)
    )
    invocations = max_invocations_per_min(figures.per_min, count)
    priced = costs(figures, instance_type, serverless, prices, count)
    metrics = description.recommendation_metrics(invocations, figures.latency_ms, priced)
    if behaviour is not None:
        cpu_percent = behaviour.cpu_percent(figures.per_min)
        if cpu_percent is not None:
            metrics["CpuUtilization"] = round(cpu_percent, 2)
        metrics["MemoryUtilization"] = round(behaviour.memory_percent, 2)
        if behaviour.setup_time_us is not None:
            metrics["ModelSetupTime"] = behaviour.setup_time_us
    return metrics, count


def costs(
    figures: Figures, instance_type: str | None, serverless: Serverless | None, prices: Prices, count: int
) -> Mapping[str, float]:
    """CostPerHour and CostPerInference; empty without a price (R4)."""
    invocations = max_invocations_per_min(figures.per_min, count)
    if serverless is not None:
        usd = prices.serverless_gb_second_usd
        return {} if usd is None else serverless_costs(usd, serverless.memory_mb, figures.mean_ms, invocations)
    usd = prices.per_hour(instance_type or "")
    return {} if usd is None else instance_costs(usd, count, invocations)
