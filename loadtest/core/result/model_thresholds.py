"""`--threshold` on a latency under `--latency-clock model` where only CloudWatch tells the model's time.

As the job's own threshold is (`model_clock`): the client's latency, an upper bound, can show that it is met; what it
does not show the periods of CloudWatch decide, or nobody. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtest.core.judge.verdicts import overall, verdicts
from loadtest.core.result.model_clock import judged_by_model
from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import Threshold, ThresholdVerdict, asked_of, verdict_of

__all__ = ["thresholds_by_model"]


def thresholds_by_model(result: RunResult, thresholds: Sequence[Threshold]) -> RunResult:
    """With the latencies among its judged `thresholds` as CloudWatch's figures have them.

    thresholds: those that `RunResult.judged` was given. As it is where `judged_by_model` would change nothing.
    """
    pairs = zip(thresholds, result.thresholds, strict=True)
    return replace(result, thresholds=tuple(_judged(result, asked, found) for asked, found in pairs))


def _judged(result: RunResult, threshold: Threshold, found: ThresholdVerdict) -> ThresholdVerdict:
    if threshold.metric != "latency" or found.answer == "met":
        return found
    plan, windows = asked_of(threshold, result.plan, result.windows)
    by_level = verdicts(plan, windows)
    whole = overall(plan, windows, by_level)
    asked = replace(result, plan=plan, windows=tuple(windows), verdicts=by_level, overall=whole)
    model = judged_by_model(asked)
    return found if model is asked or model.overall is None else verdict_of(threshold, model.overall)
