"""What a run says about a latency threshold, and how far its numbers can be trusted: values, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.core.measure.marks import TrustReason
from loadtest.core.stats.run_evidence import Answer

__all__ = ["Answer", "LatencyVerdict", "Trust", "TrustReason"]


@dataclass(frozen=True, slots=True)
class LatencyVerdict:
    """Is the percentile at most the limit? One level's answer, with what it rests on (S2).

    level: index of the curve's level; None: a rolling window in a ramp, or the whole run.
    clock: "client" or "model", whose latency was compared (S4).
    n, over: the level's requests and those over the limit, failures included; effective_n: n, had they been
        independent of each other.
    low_ms, high_ms: 95 % interval of the percentile by order statistics, of the successes;
        low_ms None: no successes; high_ms None: too few samples for an upper bound.
    rule: which rule decided ("gross breach", "evidence of the level", ...), or why none could.
    decided_at_s: run time of the decision; None: undecided.
    more_requests: an estimate of how many more would decide; None: decided, or no estimate can be made.
    from_s, from_n, from_over: "not met": the stretch that decided it, which may be more or less than the level; None:
        it was not, or by an earlier version.
    assumed: what had to be assumed of requests that come together; "": nothing.
    """

    answer: Answer
    percentile: float
    limit_ms: float
    clock: str
    level: int | None = None
    n: int = 0
    over: int = 0
    effective_n: float = 0.0
    low_ms: float | None = None
    high_ms: float | None = None
    rule: str = ""
    decided_at_s: float | None = None
    more_requests: int | None = None
    from_s: float | None = None
    from_n: int | None = None
    from_over: int | None = None
    assumed: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a result can be trusted, in the manner of MLPerf's VALID / INVALID with reasons.

    client_limited: the generator, not the endpoint, set the pace; "flat" and "not met" are then withheld (S10).
    figures: what the reasons were judged by, units in the names.
    """

    valid: bool
    client_limited: bool
    reasons: tuple[TrustReason, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
