"""An open workload: when each request is to be sent, whatever became of those before it.

Pure arithmetic: no clock. Users are a closed loop, which waits for a slow endpoint and so measures it less often just
when it is slow (coordinated omission; Tene, "How NOT to Measure Latency"; Schroeder, Wierman, Harchol-Balter, NSDI
2006). Arrivals do not wait: a request's response latency counts from the time it was intended to be sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np

from loadtest.core.plain import summed

__all__ = [
    "LATE_NS",
    "MOST_IN_FLIGHT",
    "VERY_LATE_NS",
    "Arrivals",
    "Instant",
    "Law",
    "Sends",
    "intended_in_clock_of",
    "most_in_flight",
]

Law = Literal["constant", "poisson"]

LATE_NS = 1_000_000  # a request that leaves so much after its time is late: a timer's own error is well below
VERY_LATE_NS = 10_000_000

CHUNK = 4096  # arrivals drawn together
MOST_PER_S = 1_000_000.0
BACKLOG_S = 10.0  # the endpoint may fall this far behind before requests are dropped
LEAST_IN_FLIGHT, MOST_IN_FLIGHT = 100, 5000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`rate_per_s` requests a second for `duration_s` seconds.

    law: "constant": request k at k / rate; "poisson": independent of each other, gaps exponential with mean 1 / rate.
    seed: of the Poisson law. steps: (at_s, rate_per_s) of later rates, which a search chooses; each begins anew at its
    time. Raises ValueError for values out of range: bad arrivals cannot exist.
    """

    rate_per_s: float
    duration_s: float
    law: Law = "constant"
    seed: int = 1
    steps: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Arrivals:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        return cls(**{**values, "steps": tuple((at_s, rate) for at_s, rate in values.get("steps", ()))})

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s <= MOST_PER_S:
            raise ValueError(f"a rate lies above 0 and is at most {MOST_PER_S:g} a second")
        if not 0 < self.duration_s < math.inf:
            raise ValueError("arrivals last longer than 0 s and end")
        if self.law not in get_args(Law):
            raise ValueError(f"the laws of arrivals are {', '.join(get_args(Law))}")

    def rate_at(self, t_s: float) -> float:
        """Requests due a second at `t_s`, of arrivals that go on for ever."""
        return next((rate for at_s, rate in reversed(self.steps) if at_s <= t_s + 1e-9), self.rate_per_s)

    def times_s(self, part: int = 0, parts: int = 1, after_s: float = -1.0) -> Iterator[float]:
        """Intended send times in s from the start, never falling, above `after_s` and below `duration_s`.

        Of `parts` generators that share the arrivals, `part` (0, 1, ...) gets number part, part + parts, ... of each
        rate: together they are the whole, at every instant. Raises ValueError for a part that there is not.
        """
        if not 0 <= part < parts:
            raise ValueError("parts are counted from 0")
        return (at_s for at_s in self._times_s(part, parts, after_s) if at_s > after_s)

    def _times_s(self, part: int, parts: int, after_s: float) -> Iterator[float]:
        rates = [(0.0, self.rate_per_s), *self.steps]
        ends_s = [*(at_s for at_s, _ in self.steps), self.duration_s]
        for number, ((start_s, rate), end_s) in enumerate(zip(rates, ends_s, strict=True)):
            if end_s > after_s:
                seed = self.seed if number == 0 else abs(self.seed) * 1_000_003 + number
                own = replace(self, rate_per_s=rate, duration_s=end_s - start_s, seed=seed, steps=())
                every = own._constant() if self.law == "constant" else own._poisson()
                yield from (start_s + at_s for at_s in islice(every, part, None, parts))

    def _constant(self) -> Iterator[float]:
        # A quotient each: a running sum of 1 / rate would drift.
        first = 0
        while True:
            for at_s in (np.arange(first, first + CHUNK) / self.rate_per_s).tolist():
                if at_s >= self.duration_s:
                    return
                yield at_s
            first += CHUNK

    def _poisson(self) -> Iterator[float]:
        random, before_s = np.random.default_rng(self.seed), 0.0
        while True:
            gaps_s = random.exponential(1 / self.rate_per_s, CHUNK)
            for at_s in (before_s + np.cumsum(gaps_s)).tolist():
                if at_s >= self.duration_s:
                    return
                yield at_s
            before_s += float(gaps_s.sum())


@dataclass(frozen=True, slots=True)
class Sends:
    """What became of the arrivals of a stretch of time.

    intended: how many were due. late, very_late: handed to the target over 1 ms, over 10 ms after their time by the
        generator, whose delay this is; `late` counts both.
    dropped: never sent, because as many requests as allowed were in flight already.
    """

    intended: int = 0
    late: int = 0
    very_late: int = 0
    dropped: int = 0

    @classmethod
    def sum(cls, parts: Iterable[Sends]) -> Sends:
        """Of several stretches, or of several generators."""
        return summed(cls, parts)


def most_in_flight(rate_per_s: float) -> int:
    """The default limit of requests in flight at once: ten seconds of arrivals, but at least 100 and at most 5,000."""
    return min(MOST_IN_FLIGHT, max(LEAST_IN_FLIGHT, math.ceil(rate_per_s * BACKLOG_S)))


@dataclass(frozen=True, slots=True)
class Instant:
    """One instant on two clocks: ns of the monotonic and of the wall clock."""

    monotonic_ns: int
    wall_ns: int


def intended_in_clock_of(
    sent_ns: int, kernel_clock: bool, intended_ns: int, asked: Instant, answered: Instant
) -> int | None:
    """The intended instant on the clock that a request's own times are on; None: it is neither of the two.

    sent_ns, kernel_clock: of its `Outcome`. intended_ns: on the monotonic clock. asked, answered: just before and after
    the target was invoked. Kernel times are on the wall clock; other times are on the one that they lie in the
    invocation by.
    """
    by_wall = intended_ns + asked.wall_ns - asked.monotonic_ns
    if kernel_clock:
        return by_wall
    if asked.monotonic_ns <= sent_ns <= answered.monotonic_ns:
        return intended_ns
    return by_wall if asked.wall_ns <= sent_ns <= answered.wall_ns else None
