"""Does the rate that a closed-loop search found hold when requests do not wait for each other?

A search with users cannot tell: its users slow down with the endpoint. So a share of the rate is replayed as an open
workload, and judged here. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window

if TYPE_CHECKING:
    from loadtest.core.result.result import RunResult

__all__ = ["Backlog", "Confirmation", "HoldAnswer", "backlog_of", "confirmation_of", "unconfirmed"]

HoldAnswer = Literal["held", "not held", "undecided"]
Backlog = Literal["steady", "growing"]

MIN_WINDOWS = 6  # two in each third, below that a trend is a guess
GROWTH_SHARE = 0.005  # of all arrivals: without noise, what an endpoint 1.5 % too slow gains between outer thirds
VERY_LATE_SHARE = 0.1  # more requests over 10 ms late, and it was not the schedule that was replayed
ERROR_SHARE = 0.01  # failures that still count as holding, where the job names no budget

_NOT_HELD: Mapping[Reason, str] = {
    Reason.LATENCY: "the latency threshold ended it",
    Reason.ERRORS: "the error budget ended it",
    Reason.TARGET_DOWN: "the endpoint stopped answering",
}
_CUT_SHORT: Mapping[Reason, str] = {
    Reason.USER: "it was stopped on request",
    Reason.ENGINE_LOST: "the load generator was lost",
    Reason.JOB_DURATION: "the job's time was over before it ended",
    Reason.CREDENTIALS: "AWS refused the credentials",
    Reason.LOCAL_LIMIT: "this machine could send no request",
}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The answer, what it rests on, and the figures.

    reasons: of "not held" and "undecided"; () if it held. found_per_min: the search's best rate; None: there was none.
    share: of it that was replayed. rate_per_s, duration_s, law: of the arrivals. achieved_per_s: successes.
    response_*: from the intended send time; service_*: from the actual one. threshold: the verdict's answer; None: the
    job has no threshold. backlog: of requests sent and not answered; None: too short to tell.
    """

    answer: HoldAnswer
    reasons: tuple[str, ...] = ()
    share: float = 0.0
    found_per_min: float | None = None
    rate_per_s: float | None = None
    duration_s: float | None = None
    law: str = ""
    achieved_per_s: float | None = None
    ok: int = 0
    errors: int = 0
    intended: int = 0
    late: int = 0
    very_late: int = 0
    dropped: int = 0
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    service_p50_ms: float | None = None
    service_p95_ms: float | None = None
    service_p99_ms: float | None = None
    threshold: str | None = None
    backlog: Backlog | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Confirmation:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        return cls(**{**kept, "reasons": tuple(kept["reasons"])})


def unconfirmed(share: float, reason: str, found_per_min: float | None = None) -> Confirmation:
    """The answer of a replay that was not made."""
    return Confirmation("undecided", (reason,), share, found_per_min)


def confirmation_of(replay: RunResult, share: float, found_per_min: float) -> Confirmation:
    """The answer of `replay`, the result of an open workload at `share` of `found_per_min`."""
    arrivals, totals = replay.plan.arrivals, replay.totals
    if arrivals is None:
        raise ValueError("a closed workload confirms nothing")
    ended_s = math.inf if replay.stopped_at_s is None else replay.stopped_at_s
    traffic = [window for window in replay.windows if window.start_s < ended_s]
    measured_s = sum(window.length_s for window in traffic)
    backlog = backlog_of(traffic)
    failed, open_questions = list(_failures(replay, backlog)), list(_questions(replay, backlog))
    # A generator that could not keep the schedule has tested another one.
    if replay.trust.client_limited or (failed and _late(replay)):
        open_questions, failed = [*open_questions, *failed], []
    return Confirmation(
        answer="not held" if failed else "undecided" if open_questions else "held",
        reasons=tuple(failed or open_questions),
        share=share,
        found_per_min=found_per_min,
        rate_per_s=arrivals.rate_per_s,
        duration_s=arrivals.duration_s,
        law=arrivals.law,
        achieved_per_s=sum(window.ok for window in traffic) / measured_s if measured_s else None,
        ok=totals.ok,
        errors=totals.errors,
        intended=totals.sends.intended,
        late=totals.sends.late,
        very_late=totals.sends.very_late,
        dropped=totals.sends.dropped,
        response_p50_ms=totals.latencies.response.p50_ms,
        response_p95_ms=totals.latencies.response.p95_ms,
        response_p99_ms=totals.latencies.response.p99_ms,
        service_p50_ms=totals.latencies.client.p50_ms,
        service_p95_ms=totals.latencies.client.p95_ms,
        service_p99_ms=totals.latencies.client.p99_ms,
        threshold=_threshold(replay),
        backlog=backlog,
    )


def backlog_of(windows: Sequence[Window]) -> Backlog | None:
    """Whether the requests in flight grow: all of the last third is clearly above all of the first. None: too short.

    A slope fitted through them would vanish exactly at capacity and be turned by one pause; extremes of outer thirds
    are neither. "Clearly" is by 0.5 % of all arrivals, and by three deviations of a Poisson count.
    """
    if len(windows) < MIN_WINDOWS:
        return None
    third = len(windows) // 3
    early = max(window.load.in_flight for window in windows[:third])
    late = min(window.load.in_flight for window in windows[-third:])
    clear = max(GROWTH_SHARE * sum(window.sends.intended for window in windows), 3 * math.sqrt(early + 1))
    return "growing" if late - early > clear else "steady"


def _failures(replay: RunResult, backlog: Backlog | None) -> Iterator[str]:
    totals, budget = replay.totals, replay.plan.stop.max_error_ratio
    if replay.reason in _NOT_HELD:
        yield _NOT_HELD[replay.reason]
    if _threshold(replay) == "not met" and replay.reason is not Reason.LATENCY:
        yield "the latency threshold was not met"
    if totals.error_ratio > (ERROR_SHARE if budget is None else budget) and replay.reason not in _NOT_HELD:
        yield f"{totals.errors:,} of {totals.completed:,} requests failed"
    if totals.sends.dropped:
        yield f"{totals.sends.dropped:,} requests were dropped: {replay.plan.curve.peak:,} were in flight already"
    if backlog == "growing":
        yield "the requests in flight kept growing"


def _questions(replay: RunResult, backlog: Backlog | None) -> Iterator[str]:
    totals = replay.totals
    if replay.trust.client_limited:
        yield "the load generator set the pace"
    if replay.reason in _CUT_SHORT:
        yield _CUT_SHORT[replay.reason]
    if _late(replay):
        yield f"{totals.sends.very_late:,} of {totals.sends.intended:,} requests left over 10 ms late"
    if _threshold(replay) == "undecided":
        yield "the latency threshold is undecided"
    if not totals.ok:
        yield "no request succeeded"
    elif backlog is None:
        yield "it was too short to tell whether the requests in flight grow"


def _late(replay: RunResult) -> bool:
    return replay.totals.sends.very_late > VERY_LATE_SHARE * replay.totals.sends.intended


def _threshold(replay: RunResult) -> str | None:
    if replay.plan.stop.latency is None:
        return None
    return "undecided" if replay.overall is None else replay.overall.answer
