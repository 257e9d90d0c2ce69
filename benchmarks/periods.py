"""`--latency-clock model` by CloudWatch's periods: what it finds of a level, and how often that is wrong.

python -m benchmarks.periods [--quick] [--runs N] [--seed N]

Streams with a known truth at 50 requests a second, P95, so that 5 % may be over. All that is told of them is a level of
so many whole periods: the count of requests over the limit in each (TC), or P50, P95, P99 and the extremes alone. At
4 % "not met" is wrong, at 6 % and more "met" is. Figures are in docs/method.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.machine import emit
from benchmarks.streams import ALLOWED
from benchmarks.whole_run import Draw, bursts, independent, long_range, pauses, spells
from loadtest.core.judge.verdicts import verdicts
from loadtest.core.request.spec import LatencyThreshold, RunOptions, StopConditions
from loadtest.core.result.model_clock import period_windows, persists
from loadtest.core.result.periods import PERCENTILES, Period
from loadtest.core.result.spread import Point, counted_name, spread_of
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef

RATE, LIMIT_MS = 50, 100
FAST_US, SLOW_US = 50_000.0, 150_000.0
# Periods of so many seconds, so many of them.
LEVELS = ((60, 3), (60, 10), (60, 30), (10, 9), (10, 30))
PLAIN = "independent"


def rows(length_s: int) -> Mapping[str, tuple[float, Draw]]:
    """Name -> (share over, stream)."""
    shares = (0.0, 0.01, 0.04, 0.06, 0.10, 0.60)
    return {
        **{f"{share:.0%} {PLAIN}": (share, independent(share, length_s)) for share in shares},
        "4% bursts of 10": (0.04, bursts(0.04, 10, length_s)),
        "4% bursts of 150": (0.04, bursts(0.04, 150, length_s)),
        "6% bursts of 50": (0.06, bursts(0.06, 50, length_s)),
        "4% in spells of 5 s": (0.04, spells(0.04, 5, length_s)),
        "4% in spells of 60 s": (0.04, spells(0.04, 60, length_s)),
        "4% pauses of 2.4 s a minute": (0.04, pauses(2.4, 60, length_s)),
        "4% long memory, H = 0.8": (0.04, long_range(0.04, 0.8, length_s)),
    }


def point(n: int, over: int, *, counted: bool) -> Point:
    """What CloudWatch would tell of a period: over of its n requests took longer than the limit."""
    told = {"SampleCount": float(n), "Average": FAST_US + (SLOW_US - FAST_US) * over / n}
    told |= {"Minimum": SLOW_US if over == n else FAST_US, "Maximum": SLOW_US if over else FAST_US}
    if counted:
        return {**told, counted_name(LIMIT_MS): float(n - over)}
    ranks = {f"p{share * 100:g}": max(1, math.ceil(share * n - 1e-9)) for share in PERCENTILES}
    return {**told, **{name: SLOW_US if rank > n - over else FAST_US for name, rank in ranks.items()}}


def periods_of(flags: np.ndarray, period_s: int, *, counted: bool) -> Iterator[Period]:
    """A level's whole periods."""
    n = RATE * period_s
    for i, over in enumerate(flags.reshape(-1, n).sum(axis=1).tolist()):
        model = spread_of([point(n, over, counted=counted)], LIMIT_MS)
        yield Period(float(i * period_s), float((i + 1) * period_s), 0, model)


def answer_of(plan: Plan, periods: list[Period]) -> str:
    """Of the level."""
    (under,) = verdicts(plan, period_windows(plan, periods, most=True))
    least = period_windows(plan, periods, most=False)
    (over,) = verdicts(plan, least)
    broken = over.answer == "not met" and persists(least, ALLOWED)
    return "met" if under.answer == "met" else "not met" if broken else "undecided"


def measure(
    row: str, stream: tuple[float, Draw], level: tuple[int, int], *, counted: bool, runs: int, seed: int
) -> bool:
    """True: at most 1 % of the answers are wrong. A level's own share may be on the other side of the limit."""
    (share, draw), (period_s, count) = stream, level
    plan = Plan(
        TrafficCurve((Step(0.0, 5),), float(period_s * count)),
        StopConditions(latency=LatencyThreshold(0.95, LIMIT_MS)),
        TargetRef("sagemaker:e"),
        options=RunOptions(latency_clock="client"),  # whosever it is called, the counts are on it
    )
    rng = np.random.default_rng([seed, period_s, count, round(1000 * share), sum(row.encode())])
    found: Counter[str] = Counter()
    contrary = 0
    for _ in range(runs):
        flags = draw(rng)
        answer = answer_of(plan, list(periods_of(flags, period_s, counted=counted)))
        found[answer] += 1
        contrary += answer == ("met" if flags.mean() > ALLOWED else "not met")
    wrong = found["not met" if share <= ALLOWED else "met"] / runs
    shares = {"met": found["met"] / runs, "not_met": found["not met"] / runs, "undecided": found["undecided"] / runs}
    told, periods = "counts" if counted else "percentiles", f"{count} of {period_s} s"
    emit("periods", row=row, told=told, periods=periods, runs=runs, **shares, wrong=wrong, contrary=contrary / runs)
    return wrong <= 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few runs: does it work, not how good is it")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose names hold this")
    chosen = parser.parse_args()
    runs, kept = 5 if chosen.quick else chosen.runs, True
    for period_s, count in LEVELS:
        for row, stream in rows(period_s * count).items():
            if chosen.only not in row:
                continue
            for counted in (True, False) if PLAIN in row else (True,):
                kept &= measure(row, stream, (period_s, count), counted=counted, runs=runs, seed=chosen.seed)
    return 0 if kept or chosen.quick else 1


if __name__ == "__main__":
    sys.exit(main())
