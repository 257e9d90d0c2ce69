"""What a search found, as the lines that every report begins with."""

from __future__ import annotations

from collections.abc import Iterator

from rich.padding import Padding
from rich.text import Text

from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult
from loadtest.core.search.capacity import Capacity
from loadtest.core.search.reading import invocations_name
from loadtest.report.capacity_words import (
    capacity_answer,
    held_answer,
    interval_words_of,
    load_word,
    load_words,
    rate_words_of,
    unit_of,
)
from loadtest.report.words import duration, evidence_words, number, percent, plural

__all__ = ["capacity_lines", "held_lines"]

FOUND, UNDECIDED = "bold green", "bold yellow"


def capacity_lines(result: RunResult) -> Iterator[Text | Padding]:
    """The answer, then what it rests on."""
    found = result.capacity
    assert found is not None
    if REASONS[result.reason].exit_code == 1:
        yield Text.assemble((" FAILED ", "bold white on red"), f" {REASONS[result.reason].sentence}")
    elif found.finding == "found":
        rate = rate_words_of(found)
        yield Text.assemble(("CAPACITY", FOUND), "  ", (load_words(found), "bold"), f"{rate and ', '}{rate}")
    else:
        yield Text.assemble(("UNDECIDED", UNDECIDED), f"  {capacity_answer(result)}")
    for line in _basis(result, found):
        yield Padding(Text(line), (0, 0, 0, 2), expand=False)


def held_lines(result: RunResult) -> Iterator[Text | Padding]:
    """What the levels of an ordinary run show of the capacity, and what would show more."""
    found = result.capacity
    if found is None or result.searched or not result.totals.ok:
        return
    yield Text.assemble("Capacity ", (held_answer(found), "bold" if found.finding == "found" else ""))
    facts = [*_shown(found)]
    if found.binding is not None and len(found.margins) > 1:
        facts.append(f"{found.binding} binds")
    facts += _more(found)
    if facts:
        yield Padding(Text("; ".join(facts)), (0, 0, 0, 2), expand=False)


def _basis(result: RunResult, found: Capacity) -> Iterator[str]:
    if found.finding != "found" and found.load is not None:
        yield f"known so far: {load_words(found)}"
    elif found.load is None and (found.low is not None or found.high is not None):
        yield f"known so far: {interval_words_of(found, unit_of(found.by))}"
    plateau = result.plan.search is not None and result.plan.search.goal == "plateau"
    shown = [*_levels_out(found)] if plateau else [*_shown(found)]
    if found.knee_users is not None and not plateau:
        shown.append(f"throughput levels out at {load_word(round(found.knee_users), found.by)}")
    if shown:
        yield "; ".join(shown)
    yield from _margins(found)
    if target := result.plan.search and result.plan.search.max_invocations_per_min:
        yield _target(found, target)
    above = f", {percent(round(found.above_share, 3))} of it above the capacity" if found.above_s else ""
    yield f"spent: {plural(found.requests, 'request')} in {duration(found.time_s)}{above}"
    yield from _more(found)
    if facts := evidence_words({k: v for k, v in found.evidence.items() if k not in ("requests", "time_s", "loads")}):
        yield ", ".join(facts)


def _shown(found: Capacity) -> Iterator[str]:
    for what, load in (("meet", found.shown_met), ("break", found.shown_broken)):
        if load is not None:
            yield f"shown to {what} at {load_word(load, found.by)}"


def _levels_out(found: Capacity) -> Iterator[str]:
    """Of a search for the plateau: where throughput stood, and from which load on more users are no gain, or fail."""
    if found.load is None and found.shown_met is not None:
        rate = rate_words_of(found)
        yield f"the best so far is {load_word(found.shown_met, found.by)}{rate and ', '}{rate}"
    if found.shown_broken is not None:
        yield f"no more throughput at {load_word(found.shown_broken, found.by)}"


def _more(found: Capacity) -> Iterator[str]:
    if found.more is not None:
        more = f"about {duration(found.more.time_s)} and {plural(found.more.requests, 'request')} more"
        yield f"{more} would narrow it to {percent(found.more.within)}"


def _margins(found: Capacity) -> Iterator[str]:
    for margin in found.margins:
        binds = ", which binds" if margin.name == found.binding and len(found.margins) > 1 else ""
        facts = [] if margin.load is None else [f"alone up to {load_word(margin.load, found.by)}"]
        if found.load is not None and margin.share is not None and margin.allowed is not None:
            over = "failed" if margin.name.startswith("errors") else "over it"
            facts.append(f"{percent(margin.share)} {over} at the capacity, {percent(margin.allowed)} may")
        yield f"{margin.name}{binds}{': ' if facts else ''}{'; '.join(facts)}"
    if found.clock == "model":
        yield "latencies are the model's own, as the endpoint tells them"


def _target(found: Capacity, target: float) -> str:
    """MaxInvocations beside what was found: whether the endpoint takes that much within the objectives."""
    low, high = found.per_min_low, found.per_min_high
    bound = found.finding == "found" and found.binding == invocations_name(target)
    if bound or (low is not None and high is not None and min(low, high) >= target):
        answer = "reached"
    elif found.finding == "found" and low is not None and high is not None and max(low, high) < target:
        answer = "not reached"
    else:
        answer = "undecided"
    return f"MaxInvocations {number(target)}/min: {answer}"
