"""A capacity in a few words. Nothing is concluded here that is not in the result."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.core.judge.decision import Reason
from loadtest.core.request.search import By
from loadtest.core.result.result import RunResult
from loadtest.core.search.capacity import FINDINGS, Capacity, Finding
from loadtest.report.words import number, plural

__all__ = ["capacity_answer", "held_answer", "interval_words_of", "load_word", "load_words", "rate_words_of", "unit_of"]


HELD: Mapping[Finding, str] = {  # where FINDINGS speaks of a search
    "above max": "the highest load that was held meets the objective",
    "drifting": "the endpoint became slower or faster while the load rose, or a lower load broke what a higher one met",
}

LONGER = "takes longer levels than these to show; `loadtest capacity` searches for it"


PLATEAU: Mapping[Finding, str] = {  # where FINDINGS speaks of an objective
    "budget": "the time was over before it was known where throughput levels out",
    "above max": "throughput still grew at the highest load that was allowed",
    "below start": "at the first load more requests failed than may",
}


def capacity_answer(result: RunResult) -> str:
    """The finding in a sentence; "" if nothing was searched."""
    found = result.capacity
    if found is None:
        return ""
    if found.finding == "searching" and result.reason is Reason.USER:
        return "stopped on request before the interval was as narrow as was asked for"
    search = result.plan.search
    words = PLATEAU if search is not None and search.goal == "plateau" else {}
    return f"{found.finding}: {words.get(found.finding, FINDINGS[found.finding])}"


def held_answer(found: Capacity) -> str:
    """What the levels of an ordinary run show, in a sentence."""
    if found.finding == "found":
        rate = rate_words_of(found)
        return f"{load_words(found)}{rate and ', '}{rate}"
    low, high = found.low, found.high
    sentence = HELD.get(found.finding, FINDINGS[found.finding])
    if found.finding == "above max" and low is not None:
        return f"{load_word(low, found.by)} or more: {sentence}"
    if found.finding == "below start" and found.shown_broken is not None:
        return f"below {load_word(found.shown_broken, found.by)}: {sentence}"
    if low is not None and high is not None:
        return f"{interval_words_of(found, unit_of(found.by))}: {sentence}"
    if found.finding == "undecided":  # the verdict asks for less: "not known" beside MET would seem to contradict it
        so_far = "(the largest load within the limit)" if low is None else f"at least {load_word(low, found.by)}; more"
        return f"{so_far} {LONGER}"
    known = f"at least {load_word(low, found.by)}" if low is not None else "not known"
    return f"{known}: {sentence}"


def load_words(found: Capacity) -> str:
    """12 users (11 .. 13, nominal 95 %) - 210 requests/s (204 .. 215, nominal 95 %)."""
    if found.load is None:
        return ""
    return f"{load_word(found.load, found.by)} ({interval_words_of(found)})"


def rate_words_of(found: Capacity) -> str:
    """12,000 invocations/min (11,500 .. 12,400)."""
    if found.per_min is None:
        return ""
    low, high = found.per_min_low, found.per_min_high
    around = "" if low is None or high is None else f" ({number(min(low, high))} .. {number(max(low, high))})"
    return f"{number(found.per_min)} invocations/min{around}"


def interval_words_of(found: Capacity, unit: str = "") -> str:
    """11 .. 13 users, nominal 95 %: what a search aims at; docs/method.md says how often intervals hold."""
    low = "0" if found.low is None else number(found.low)
    high = "?" if found.high is None else number(found.high)
    return f"{low} .. {high}{unit and ' '}{unit}, nominal {number(100 * found.confidence)} %"


def load_word(load: float, by: By) -> str:
    return plural(round(load), "user") if by == "users" else f"{number(load)} requests/s"


def unit_of(by: By) -> str:
    return "users" if by == "users" else "requests/s"
