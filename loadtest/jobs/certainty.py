"""How sure the figures of a job's recommendations are: intervals that the API has no members for. Pure."""

from __future__ import annotations

import math
from typing import Any

from loadtest.core.result.result import RunResult
from loadtest.jobs.rows import StepRow

__all__ = ["certainty_of"]


def certainty_of(step: StepRow, result: RunResult) -> dict[str, Any]:
    """JSON values of a step with a recommendation, whose run `result` is; null: not known.

    MaxInvocations: with the 95 % interval of the rate, for as many instances as are recommended. ModelLatency: the
    measured percentile with its interval, ms, also where a threshold is what the API reports. capacity: what the search
    of a Default job, or the levels of the job's own traffic, say of the number of users.
    """
    metrics, best, latency, found = step.metrics or {}, result.best, result.latency, result.capacity
    per_min = metrics.get("MaxInvocations")
    scale = per_min / best.per_min if per_min and best is not None and best.per_min else None
    low = None if scale is None or best is None or best.low_per_min is None else math.floor(scale * best.low_per_min)
    high = None if scale is None or best is None or best.high_per_min is None else math.ceil(scale * best.high_per_min)
    return {
        "RecommendationId": step.recommendation_id,
        "test": step.label,
        "InitialInstanceCount": step.endpoint.get("InitialInstanceCount"),
        "MaxInvocations": {"value": per_min, "low": low, "high": high, "estimated": result.estimated},
        "ModelLatency": {
            "value": metrics.get("ModelLatency"),
            "measured_ms": latency.measured_ms,
            "low_ms": latency.low_ms,
            "high_ms": latency.high_ms,
            "percentile": latency.percentile,
            "clock": latency.clock,
        },
        "confidence": 0.95,
        "capacity": None if found is None else found.to_dict(),
        "notes": list(step.notes),
    }
