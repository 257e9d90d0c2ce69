"""What happened in a run, each with its time and its sentence: the audit log, rebuilt from the windows. No I/O.

A folder keeps windows, and the decisions follow from them: the controller is shown them again, as live.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadtest.core.judge.control import Controller, Event
from loadtest.core.judge.decision import REASONS
from loadtest.core.measure.levels import plan_levels
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Level
from loadtest.report.words import evidence_words, level_name, plural

__all__ = ["Happening", "happenings"]


@dataclass(frozen=True, slots=True)
class Happening:
    """A thing that happened in a run. kind: "verdict", "withheld", "lost" or "stop"."""

    at_s: float
    kind: str
    sentence: str


def happenings(result: RunResult) -> list[Happening]:
    """In time order; the stop is the one that the result has, whoever asked for it."""
    controller = Controller(result.plan)
    for window in result.windows:
        controller.observe(window)
    levels = plan_levels(result.plan)
    found = [
        Happening(event.at_s, event.kind, _sentence(event, levels))
        for event in controller.events
        if event.kind != "stop"
    ]
    found += _lost(result)
    ended_s = result.totals.length_s if result.stopped_at_s is None else result.stopped_at_s
    why = "; ".join(evidence_words({name: value for name, value in result.evidence.items() if name != "usl"}))
    sentence = f"Stopped: {REASONS[result.reason].sentence} ({result.reason.value})"
    found.append(Happening(ended_s, "stop", f"{sentence}: {why}" if why else sentence))
    return sorted((each for each in found if each.at_s <= ended_s or each.kind == "lost"), key=lambda each: each.at_s)


def _sentence(event: Event, levels: tuple[Level, ...]) -> str:
    facts = event.facts
    if event.kind == "verdict":
        level = facts.get("level")
        where = "the rolling minute" if level is None else level_name(levels[level])
        return f"Latency threshold at {where}: {facts.get('answer')}"
    told = {name: value for name, value in facts.items() if name not in ("rule", "usl")}
    return f"Stop withheld, the generator set the pace: {facts.get('rule')}; {'; '.join(evidence_words(told))}"


def _lost(result: RunResult) -> Iterator[Happening]:
    before = 0
    for window in result.windows:
        lost = window.health.lost_workers
        if lost > before:
            text = f"Lost: {plural(lost - before, 'generator process', 'generator processes')}"
            yield Happening(window.end_s, "lost", f"{text}; their users were planned anew on the others")
        before = max(before, lost)
