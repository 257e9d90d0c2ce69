"""A target that does nothing: what remains is the generator itself, so it can be calibrated."""

from __future__ import annotations

from time import perf_counter_ns

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.targets.base import Payload

__all__ = ["LATENCY_NS", "NullTarget"]

LATENCY_NS = 1000  # the least that the histogram holds: less would be counted as clamped


class NullTarget:
    """Answers every invocation at once with a success of 1 us, without I/O and without yielding."""

    __slots__ = ()

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = perf_counter_ns()
        done_ns = sent_ns + LATENCY_NS
        return Outcome(Kind.OK, 200, 0, sent_ns, done_ns, done_ns)

    def close(self) -> None:
        pass
