"""How often does a comparison err, and how much does it see: equal endpoints, slower ones, repeats, in virtual time?

python -m benchmarks.compare_quality [--quick] [--pairs N] [--only equal,slower,repeats,limits] [--seed S]

Stairs of 2, 4, 6, 8 users, 15 s each, on an endpoint of four servers with lognormal service (median 40 ms, sigma 0.3),
whose P95 threshold lies where eight users have it, so that every other run holds it there. A wrong answer is any row
that says better or worse of two equal endpoints. Of equal endpoints each run is held against the next two: half as
many runs as pairs. `pace` slows the whole endpoint down as time goes by:

    steady   not at all
    bursts   twice as slow for 1.5 s on average, every 10 s on average
    drift    a wander of 5 % with a memory of 1.5 s, a tenth of a level, and 5 % slower at the end than at the beginning
    drift3s, drift10s   the same with a memory of 3 s and of 10 s, a fifth of a level and two thirds (no claim)
    wander   5 % with a memory of 60 s, four levels long: more than one run can tell from a difference (no claim)
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.machine import emit
from loadtest.core.compare.comparison import MARGIN, Comparison, compare
from loadtest.core.judge.verdict import Trust
from loadtest.core.measure.schedule import Schedule
from loadtest.core.measure.totals import Totals
from loadtest.core.request.spec import LatencyThreshold, RunOptions, Stairs, StopConditions
from loadtest.core.result.result import ModelLatency, RunResult
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.latency import Answer, LatencyModel
from loadtest.endpoint.settings import MockSettings
from loadtest.engine.sim import run_virtual

LENGTH_S = 60
STEP_S = 0.1
LIMIT_MS = 111
SERVICE_MS = 40.0

Pace = Callable[[np.random.Generator], list[float]]


def steady(rng: np.random.Generator) -> list[float]:
    """Times as slow as usual, every STEP_S."""
    return [1.0]


def bursts(rng: np.random.Generator) -> list[float]:
    pace, at = np.ones(round(LENGTH_S / STEP_S)), 0.0
    while at < LENGTH_S:
        at += rng.exponential(10.0)
        length_s = rng.exponential(1.5)
        pace[round(at / STEP_S) : round((at + length_s) / STEP_S)] = 2.0
        at += length_s
    return pace.tolist()


def wander(rng: np.random.Generator, memory_s: float, trend: float = 0.0) -> list[float]:
    count, keep = round(LENGTH_S / STEP_S), math.exp(-STEP_S / memory_s)
    noise = rng.standard_normal(count) * 0.05 * math.sqrt(1 - keep * keep)
    level, found = 0.05 * rng.standard_normal(), []
    for place, step in enumerate(noise):
        level = keep * level + step
        found.append(max(1.0, 1.2 + level + trend * place / count))
    return found


PACES: dict[str, Pace] = {
    "steady": steady,
    "bursts": bursts,
    "drift": partial(wander, memory_s=1.5, trend=0.05),
    "drift3s": partial(wander, memory_s=3.0, trend=0.05),
    "drift10s": partial(wander, memory_s=10.0, trend=0.05),
    "wander": partial(wander, memory_s=60.0),
}

CLAIMED = dict.fromkeys(("steady", "bursts", "drift"), ("at most", 0.01))


def run(slower: float, pace: list[float], seed: int) -> RunResult:
    """One run; of its result only what a comparison reads."""
    stop = StopConditions(flat_stops=False, latency=LatencyThreshold(0.95, LIMIT_MS))
    plan = Plan(curve_of(Stairs(2, 4, LENGTH_S), RunOptions()), stop, TargetRef("mock:"))
    service_ms = SERVICE_MS * (1 + slower)
    model = LatencyModel(MockSettings(service_ms=service_ms, law="lognormal", sigma=0.3, seed=seed))

    def arrive(now_s: float) -> Answer:
        times = pace[min(int(now_s / STEP_S), len(pace) - 1)]
        return model.arrive(now_s, (times - 1) * model.mean_service_s)

    done = run_virtual(plan, arrive)
    return RunResult(
        plan=plan,
        reason=done.stop.reason,
        evidence=done.stop.evidence,
        windows=done.windows,
        levels=(),
        totals=Totals(),
        latency=ModelLatency(None, None, 0.95, "client", False),
        schedule=Schedule(),
        trust=Trust(True, False),
        stopped_at_s=done.stopped_at_s,
    )


def pair(pace: str, slower: float, repeats: int, seed: int) -> Comparison:
    """A, B, A, B, ...: each run has a stretch of its own of what the pace does."""
    rng = np.random.default_rng(seed)
    sides: tuple[list[RunResult], list[RunResult]] = ([], [])
    for place in range(2 * repeats):
        own = int(rng.integers(2**31))
        sides[place % 2].append(run(slower * (place % 2), PACES[pace](rng), own))
    return compare(*sides, margin=MARGIN)


def equal_pairs(pace: str, pairs: int, seed: int) -> list[Comparison]:
    """A ring of runs of one endpoint, each against the next two."""
    rng, count = np.random.default_rng(seed), max(4, pairs // 2)
    runs = [run(0.0, PACES[pace](rng), int(rng.integers(2**31))) for _ in range(count)]
    return [compare([runs[k]], [runs[(k + step) % count]], margin=MARGIN) for step in (1, 2) for k in range(count)]


def rate(
    case: str, pace: str, slower: float, repeats: int, pairs: int, seed: int, claim: tuple[str, float] | None
) -> bool:
    if slower or repeats > 1:
        found = [pair(pace, slower, repeats, seed * 1_000_000 + number) for number in range(pairs)]
    else:
        found = equal_pairs(pace, pairs, seed)
    changed = [each for each in found if each.of("worse") or each.of("better")]
    worse = sum(each.answer == "worse" for each in found)
    share = (len(changed) if not slower else worse) / len(found)
    kept = claim is None or (share <= claim[1] if claim[0] == "at most" else share >= claim[1])
    rows: dict[str, int] = {}
    for each in changed if not slower else ():
        for row in (*each.of("worse"), *each.of("better")):
            name = f"{row.metric} {'run' if row.level is None else 'level'}"
            rows[name] = rows.get(name, 0) + 1
    emit(
        case,
        pace=pace,
        slower=slower,
        repeats=repeats,
        pairs=len(found),
        share=share,
        same_share=sum(each.answer == "same" for each in found) / len(found),
        claim=None if claim is None else f"{claim[0]} {claim[1]:.0%}",
        kept=kept,
        **({"wrong_rows": rows} if rows else {}),
    )
    sys.stdout.flush()
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pairs: does it work, not how good is it")
    parser.add_argument("--pairs", type=int, default=1000, help="of equal endpoints; of others a fifth, or a tenth")
    parser.add_argument("--only", default="equal,slower,repeats,limits")
    parser.add_argument("--paces", default="steady,bursts,drift")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    pairs = 5 if chosen.quick else chosen.pairs
    parts, paces, kept = chosen.only.split(","), chosen.paces.split(","), True
    for pace in paces:
        if "slower" in parts:
            claim = ("at least", 0.95) if pace == "steady" else None
            kept &= rate("slower service: worse", pace, 0.10, 1, max(5, pairs // 5), chosen.seed, claim)
        if "repeats" in parts:
            claim = ("at least", 0.80) if pace == "steady" else None
            kept &= rate("slower service, repeats: worse", pace, 0.03, 5, max(3, pairs // 10), chosen.seed, claim)
    for pace in paces:
        if "equal" in parts:
            kept &= rate("equal endpoints: any better or worse", pace, 0.0, 1, pairs, chosen.seed, CLAIMED.get(pace))
    if "limits" in parts:
        for repeats in (1, 3):
            count = max(5, pairs // 5 // repeats)
            rate("equal endpoints: any better or worse", "wander", 0.0, repeats, count, chosen.seed, None)
    return 0 if kept or chosen.quick else 1


if __name__ == "__main__":
    sys.exit(main())
