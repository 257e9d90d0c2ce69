"""How near each stop condition of a run is, a line with a gauge each. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from loadtest.core.judge.stop.errors import TargetDown
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.plateau import GAIN
from loadtest.report.glyphs import Glyphs
from loadtest.report.sofar import RunSoFar
from loadtest.report.words import duration, evidence_words, number, percent, plural

__all__ = ["condition_lines"]

STYLES = {"met": "green", "not met": "bold red", "undecided": "yellow"}


def condition_lines(run: RunSoFar, glyphs: Glyphs, width: int) -> Iterator[Text]:
    """What can end the run besides its curve, each with a gauge of `width` columns. Full means that it ends it."""
    for name, share, style, text in _conditions(run):
        full, empty = glyphs.gauge(share, width)
        yield Text.assemble((name.ljust(9), "dim"), (full, style), (empty, "dim"), "  ", text)


def _conditions(run: RunSoFar) -> Iterator[tuple[str, float, str, Text]]:
    """(name, how near, style of the gauge, what there is to say)."""
    stop, near = run.plan.stop, run.progress
    if run.plan.end_s < run.plan.curve.end_s:
        share = 0.0 if run.last is None else run.last.end_s / run.plan.end_s
        yield "time", share, "cyan", Text(f"of the job's {duration(run.plan.end_s)}")
    if stop.max_invocations_per_min is not None:
        share = float(near.get("max_invocations", 0.0))
        yield "rate", share, "cyan", Text(f"{percent(share)} of {number(stop.max_invocations_per_min)} invocations/min")
    if run.plan.search is not None:
        share = 0.0 if run.last is None else run.last.end_s / run.plan.end_s
        words = "; ".join(evidence_words({"capacity": near.get("capacity") or {}})) or "growing"
        yield "capacity", share, "cyan", Text(f"of the budget; {words}")
        return
    if stop.latency is not None:
        yield _latency(stop.latency, near.get("latency"))
    if stop.flat_stops:
        yield _flat(near.get("flat"))
    if stop.max_error_ratio is not None:
        share = float(near.get("errors", 0.0))
        text = f"{percent(share)} of the budget of {percent(stop.max_error_ratio)} failures"
        yield "errors", share, _heat(share), Text(text)
    if run.dry_s >= 1:
        limit_s = TargetDown().limit_s
        text = f"no success for {duration(run.dry_s)}; {duration(limit_s)} of failures end the run"
        yield "silence", run.dry_s / limit_s, "bold red", Text(text)


def _latency(threshold: LatencyThreshold, near: Any) -> tuple[str, float, str, Text]:
    found = near if isinstance(near, Mapping) else {}
    over, allowed = float(found.get("over_share", 0.0)), 1 - threshold.percentile
    share = over / allowed if allowed else float(over > 0)
    verdict = str(found.get("verdict", "undecided"))
    text = f"{percent(over)} over {threshold.limit_ms:g} ms, {percent(allowed)} may be: "
    return threshold.name, share, _heat(share), Text(text).append(verdict, style=STYLES.get(verdict, ""))


def _flat(near: Any) -> tuple[str, float, str, Text]:
    found = near if isinstance(near, Mapping) else {}
    if found.get("withheld"):
        return "flat", 1.0, "yellow", Text("withheld: the generator is the limit")
    gain = found.get("gain_share")
    if gain is None:
        measured = plural(int(found.get("levels", 0)), "level")
        return "flat", 0.0, "cyan", Text(f"{measured} measured, 3 are needed")
    # Empty while each user brings as much as the first, full where it may be flat.
    share = min(1.0, max(0.0, (1 - gain) / (1 - GAIN)))
    text = f"added users bring {max(0, round(100 * gain))} % of the first; {round(100 * GAIN)} % is flat"
    return "flat", share, _heat(share), Text(text)


def _heat(share: float) -> str:
    return "green" if share < 0.5 else "yellow" if share < 0.9 else "bold red"
