"""The best rate of a run and what goes with it, as lines of every report."""

from __future__ import annotations

from collections.abc import Iterator

from rich.padding import Padding
from rich.text import Text

from loadtest.core.result.metrics import BestRate
from loadtest.core.result.model_latency import ModelLatency
from loadtest.core.result.result import RunResult
from loadtest.report.capacity import held_lines
from loadtest.report.words import milliseconds, number, plural

__all__ = ["best_lines"]


def best_lines(result: RunResult) -> Iterator[Text | Padding]:
    """The best rate, the capacity that levels show, the latency at the rate; each with its interval."""
    if result.best is None:
        if not result.searched:  # a search says itself what it found instead
            yield Text("No rate of invocations held the conditions")
    else:
        level = next((level for level in result.levels if level.level == result.best.level), None)
        is_open = result.plan.arrivals is not None
        users = "" if level is None or is_open else f" at {plural(level.users, 'user')}"
        estimate = ", an estimate from less than a full minute" if result.best.estimated else ""
        yield Text.assemble(
            "Best rate ",
            (f"{number(result.best.per_min)} invocations/min", "bold"),
            f"{users}{estimate}{_rate_interval(result.best)}",
        )
    yield from held_lines(result)
    latency = result.latency
    if latency.reported_ms is not None:
        # R5: the API then reports the threshold; a person wants to know what was measured.
        shown_ms = latency.measured_ms if latency.clamped and latency.measured_ms is not None else latency.reported_ms
        api = f"; the API reports the threshold, {milliseconds(latency.reported_ms)} ms" if latency.clamped else ""
        bound = ", an upper bound of the model's own" if latency.clock == "client" else ""
        name = f"P{latency.percentile * 100:g}"
        # The verdict is about the whole run, this is the API's figure: that of the stretch with the best rate.
        there = "" if result.best is None else " at that rate"
        sure = _latency_interval(latency)
        yield Text(f"Latency {name}{there} {milliseconds(shown_ms)} ms, {latency.clock} clock{bound}{sure}{api}")


def _latency_interval(latency: ModelLatency) -> str:
    if latency.low_ms is None or latency.high_ms is None:
        return ""
    return f" ({milliseconds(latency.low_ms)} .. {milliseconds(latency.high_ms)} ms, 95 %)"


def _rate_interval(best: BestRate) -> str:
    if best.low_per_min is None or best.high_per_min is None:
        return ""
    peak = "" if best.peak_per_min is None else f"; peak of a rolling minute {number(best.peak_per_min)}"
    return f" ({number(best.low_per_min)} .. {number(best.high_per_min)}, 95 %{peak})"
