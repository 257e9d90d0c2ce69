"""Results whose verdicts and trust a test chooses, where `build_result` would conclude them from the windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadtest.core.result.metrics import best_rate
from loadtest.core.result.result import RunResult, build_result

__all__ = ["result_with"]

CHOSEN = ("verdicts", "overall", "trust")


def result_with(plan: Any, windows: Any, stop: Any, **facts: Any) -> RunResult:
    """As `build_result`, with `verdicts`, `overall` and `trust` as given, and the best rate that follows from them."""
    chosen = {name: facts.pop(name) for name in CHOSEN if name in facts}
    result = build_result(plan, windows, stop, **facts)
    if "verdicts" in chosen:
        chosen["verdicts"] = tuple(chosen["verdicts"])
        ended_s = float("inf") if result.stopped_at_s is None else result.stopped_at_s
        traffic = [window for window in result.windows if window.users and window.start_s < ended_s]
        broken = {verdict.level for verdict in chosen["verdicts"] if verdict.answer == "not met"} - {None}
        best = best_rate(traffic, plan.options.rate_window_s, plan.stop.latency, broken)
        if best != result.best:
            chosen["best"] = best
    return replace(result, **{name: value for name, value in chosen.items() if name != "trust" or value is not None})
