"""Streams of requests over or not over a latency limit, with a known truth, and the rules that judge them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.core.judge.stop.latency import LatencyRule
from loadtest.core.judge.watch import LatencyWatch
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, StopConditions
from loadtest.core.stats.evidence import log_beta_ratio
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef

__all__ = ["ALLOWED", "Case", "Rule", "fixed_size", "k6", "naive", "ours", "windows_of"]

ALLOWED = 0.05  # a P95
BATCH = 10  # requests
Flags = NDArray[np.bool_]
Rule = Callable[[Flags, int], int | None]
"""(over or not of each request, requests a second) -> after how many requests it stops; None: never."""


@dataclass(frozen=True, slots=True)
class Case:
    """A stream. share: of requests over the limit, on average.

    kind: "bursts": blocks of `burst` requests are over together (1: independent). "drift": the share rises linearly
    from nothing to twice `share`. "pauses": every 1 / share seconds' worth of requests, one second's are over.
    """

    share: float
    burst: int = 1
    kind: str = "bursts"
    requests: int = 3000
    rate_per_s: int = 50

    @property
    def name(self) -> str:
        extra = f" of {self.burst}" if self.kind == "bursts" and self.burst > 1 else ""
        kind = "independent" if self.kind == "bursts" and self.burst == 1 else self.kind
        return f"{100 * self.share:g} % over, {kind}{extra}"

    def draw(self, rng: np.random.Generator) -> Flags:
        """One stream of `requests` requests."""
        n = self.requests
        if self.kind == "drift":
            return rng.random(n) < np.linspace(0, 2 * self.share, n)
        if self.kind == "pauses":
            period = round(self.rate_per_s / self.share)
            return (np.arange(n) + rng.integers(period)) % period < self.rate_per_s
        blocks = np.repeat(rng.random(n // self.burst + 2) < self.share, self.burst)
        start = int(rng.integers(self.burst))
        return blocks[start : start + n]


def windows_of(flags: Flags, rate_per_s: int) -> Iterator[Window]:
    """The stream as a run of 1 s windows at a constant rate and constant users."""
    for index in range(len(flags) // rate_per_s):
        part = flags[index * rate_per_s : (index + 1) * rate_per_s]
        counts = np.add.reduceat(part, np.arange(0, len(part), BATCH), dtype=np.int64)
        sizes = [min(BATCH, len(part) - i * BATCH) for i in range(len(counts))]
        yield Window.from_dict(
            dict(  # noqa: C408
                index=index,
                start_s=float(index),
                end_s=index + 1.0,
                level=0,
                users=5,
                running=5,
                active=5.0,
                in_flight=5.0,
                ok=len(part),
                over=int(part.sum()),
                over_batches=tuple(zip(sizes, counts.tolist(), strict=True)),
            )
        )


def ours(flags: Flags, rate_per_s: int) -> int | None:
    """This package's rule, looked at after every window as the controller does."""
    threshold = LatencyThreshold(1 - ALLOWED, 100)
    length_s = float(len(flags) // rate_per_s + 1)
    plan = Plan(TrafficCurve((Step(0.0, 5),), length_s), StopConditions(latency=threshold), TargetRef("mock:"))
    watch = LatencyWatch(plan, LatencyRule(threshold))
    for window in windows_of(flags, rate_per_s):
        if watch.observe(window) is not None:
            return (window.index + 1) * rate_per_s
    return None


def naive(flags: Flags, rate_per_s: int) -> int | None:
    """ "P95 > T" of everything so far, looked at every second."""
    return _first(flags, rate_per_s, 0, lambda n, over: over > ALLOWED * n)


def k6(flags: Flags, rate_per_s: int) -> int | None:
    """The same with k6's delayAbortEval of 10 s: `abortOnFail` thresholds are cumulative."""
    return _first(flags, rate_per_s, 10 * rate_per_s, lambda n, over: over > ALLOWED * n)


def fixed_size(flags: Flags, rate_per_s: int) -> int | None:
    """MLPerf's binomial bound at 99 %, meant for one look at the end, used at every look."""
    return _first(flags, rate_per_s, 0, lambda n, over: over > ALLOWED * n and _tail(n, over) < 0.01)


def _first(flags: Flags, step: int, least: int, stops: Callable[[int, int], bool]) -> int | None:
    sums = np.cumsum(flags)
    looks: Sequence[int] = range(step, len(flags) + 1, step)
    return next((n for n in looks if n >= least and stops(n, int(sums[n - 1]))), None)


def _tail(n: int, over: int) -> float:
    return math.exp(log_beta_ratio(over, n - over + 1, ALLOWED)) if over else 1.0
