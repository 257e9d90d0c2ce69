"""Which results a job recommends, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.jobs.rows import StepRow

__all__ = ["MAX_RECOMMENDATIONS", "ranked"]

MAX_RECOMMENDATIONS = 10
"""InferenceRecommendations holds 1 to 10 items (service model)."""


def ranked(steps: Sequence[StepRow]) -> list[StepRow]:
    """The recommended steps: those with a result, at most ten, the cheapest per inference last (R7).

    The SDK's `deploy()` takes the last real-time one. What has no price is not comparable: it stands first, and is the
    first to go when there are more than ten. Equal costs: the higher rate comes later; then the order of the tests.
    """
    with_result = [step for step in steps if step.metrics is not None]
    return sorted(with_result, key=_worst_first)[-MAX_RECOMMENDATIONS:]


def _worst_first(step: StepRow) -> tuple[bool, float, int, int]:
    metrics = step.metrics or {}
    cost = metrics.get("CostPerInference")
    return cost is not None, -(cost or 0.0), metrics["MaxInvocations"], -step.index
