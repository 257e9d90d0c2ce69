"""What a run was asked to keep, as a list of checks with an answer each: what CI's formats are made of.

A check is a stop condition of the job, a threshold, the trust in the run, the confirmation of its rate, or the run
itself. Nothing is concluded here that is not in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.judge.verdict import LatencyVerdict
from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import ThresholdVerdict
from loadtest.report.capacity_words import capacity_answer, load_words, rate_words_of
from loadtest.report.words import milliseconds, number, percent

__all__ = ["Check", "Outcome", "checks_of", "interval_words"]

Outcome = Literal["passed", "failed", "skipped", "error"]
ANSWERS: dict[str, Outcome] = {"met": "passed", "not met": "failed", "held": "passed", "not held": "failed"}


@dataclass(frozen=True, slots=True)
class Check:
    """One row of what a run was asked, and the answer.

    group: "run", "stop conditions", "thresholds" or "trust". name: what was asked. answer: in a word or two.

    outcome: "skipped" if it is undecided, "error" if the run cannot be believed. why: what the answer rests on.
    """

    group: str
    name: str
    outcome: Outcome
    answer: str
    why: str = ""


def checks_of(result: RunResult) -> tuple[Check, ...]:
    """In the order in which a reader wants them."""
    return tuple(_checks(result))


def _checks(result: RunResult) -> Iterator[Check]:
    row, stop = REASONS[result.reason], result.plan.stop
    ended: Outcome = "passed"
    if row.exit_code:
        ended = "skipped" if result.reason is Reason.USER else "error"
    yield Check("run", "the run came to its end", ended, result.reason.value, row.sentence)
    if result.searched and result.capacity is not None:
        found = result.capacity.finding == "found"
        why = ", ".join(filter(None, (load_words(result.capacity), rate_words_of(result.capacity))))
        yield Check("capacity", "a capacity was found", "passed" if found else "skipped", capacity_answer(result), why)
    elif stop.latency is not None:
        name = f"{stop.latency.name} of latency at most {stop.latency.limit_ms:g} ms"
        yield _latency(name, result.overall)
    if stop.max_invocations_per_min is not None:
        yield _rate(result, stop.max_invocations_per_min)
    if stop.max_error_ratio is not None:
        broken = result.reason is Reason.ERRORS
        why = f"{percent(result.totals.error_ratio)} of all requests failed"
        name = f"at most {percent(stop.max_error_ratio)} of requests fail"
        yield Check("stop conditions", name, "failed" if broken else "passed", "exceeded" if broken else "kept", why)
    if stop.flat_stops:
        found = result.reason is Reason.FLAT
        answer, why = ("found", row.sentence) if found else ("not found", "throughput did not flatten")
        yield Check("stop conditions", "flat throughput", "passed" if found else "skipped", answer, why)
    for verdict in result.thresholds:
        why = "; ".join(filter(None, (interval_words(verdict), verdict.why)))
        yield Check("thresholds", verdict.text, ANSWERS.get(verdict.answer, "skipped"), verdict.answer, why)
    if result.confirmation is not None:
        held = result.confirmation
        why = "; ".join(held.reasons)
        yield Check("thresholds", "the best rate holds", ANSWERS.get(held.answer, "skipped"), held.answer, why)
    trust = result.trust
    why = "; ".join(f"{reason.text}: {reason.advice}" for reason in trust.reasons)
    yield Check("trust", "the result can be trusted", *_TRUST[trust.valid], why)


_TRUST: dict[bool, tuple[Outcome, str]] = {True: ("passed", "VALID"), False: ("error", "INVALID")}


def _latency(name: str, verdict: LatencyVerdict | None) -> Check:
    if verdict is None:
        return Check("stop conditions", name, "skipped", "undecided", "nothing was measured against it")
    high = "?" if verdict.high_ms is None else milliseconds(verdict.high_ms)
    interval = (
        "" if verdict.low_ms is None else f"P{verdict.percentile * 100:g} {milliseconds(verdict.low_ms)} .. {high} ms"
    )
    counts = f"{verdict.over:,} of {verdict.n:,} requests over it or failed"
    why = "; ".join(filter(None, (interval, counts, verdict.rule)))
    return Check("stop conditions", name, ANSWERS.get(verdict.answer, "skipped"), verdict.answer, why)


def _rate(result: RunResult, target_per_min: int) -> Check:
    best, name = result.best, f"{target_per_min:,} invocations a minute"
    reached = result.reason is Reason.MAX_INVOCATIONS
    why = "no rate held the conditions" if best is None else f"the highest rate was {number(best.per_min)} a minute"
    # Until the run is over without it, it may still come: only a run that was not cut short has an answer.
    outcome: Outcome = "passed" if reached else "skipped"
    return Check("stop conditions", name, outcome, "reached" if reached else "not reached", why)


def interval_words(verdict: ThresholdVerdict) -> str:
    """What was measured against a threshold, in its own unit; "": nothing was."""
    name = verdict.text.lower()
    words: Callable[[float], str]
    if name.startswith("error_rate"):
        words, unit = percent, ""
    elif name.startswith("rate"):
        words, unit = number, "/s"
    else:
        words, unit = milliseconds, " ms"
    measured = "" if verdict.measured is None else f"{words(verdict.measured)}{unit}"
    if verdict.low is None and verdict.high is None:
        return measured
    ends = " .. ".join("?" if end is None else words(end) for end in (verdict.low, verdict.high))
    return f"{measured} ({ends}{unit})" if measured else f"{ends}{unit}"
