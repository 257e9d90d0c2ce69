"""Endpoints whose curve over users is known, in virtual time: is a plateau seen only where there is one?

python -m benchmarks.rises [--quick] [--runs N] [--seed N] [--only NAME]

Users rise by three a minute, so a level lasts 20 s. `drifting` serves 64 at once, its speed drifting by 5 % with a
memory of 15 s. `gain` brings 20 % of a user's rate with every user beyond ten, twice the limit of what is flat.
`plateau` has ten exponential servers:
the plateau is there, and is to be found. `search` is the rule of Default jobs on a batching server's curve.
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.machine import emit
from loadtest.core.judge.decision import Reason
from loadtest.core.request.spec import Phase, StopConditions
from loadtest.core.stats.plateau import plateau_start
from loadtest.core.stats.rates import LevelRate
from loadtest.core.stats.scaling import knee_users
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.latency import Answer
from loadtest.engine.sim import Server, VirtualRun, run_virtual


def _answer(at_s: float, done_s: float) -> Answer:
    return Answer(done_s, at_s, done_s, 200, "", round(1e6 * (done_s - at_s)), 0)


DRAWS = 2000


@dataclass
class Servers:
    """`count` exponential servers; speed(t) multiplies their rate."""

    count: int
    service_s: float
    rng: np.random.Generator
    speed: Callable[[float], float] = field(default=lambda at_s: 1.0)
    free_s: list[float] = field(default_factory=list)

    def __call__(self, at_s: float) -> Answer:
        start_s = at_s
        if len(self.free_s) >= self.count:
            start_s = max(at_s, heapq.heappop(self.free_s))
        done_s = start_s + self.rng.exponential(self.service_s) / self.speed(start_s)
        heapq.heappush(self.free_s, done_s)
        return _answer(at_s, done_s)


def drift(rng: np.random.Generator, share: float, memory_s: float) -> Callable[[float], float]:
    """An Ornstein-Uhlenbeck process around 1, a value a second."""
    keep = math.exp(-1 / memory_s)
    values = [1 + share * rng.standard_normal()]

    def speed(at_s: float) -> float:
        while len(values) <= at_s:
            off = keep * (values[-1] - 1) + share * math.sqrt(1 - keep**2) * rng.standard_normal()
            values.append(1 + off)
        return values[int(at_s)]

    return speed


def gain(rng: np.random.Generator, single_s: float, knee: int, share: float) -> Server:
    """Each of n users in flight has n / X(n) of latency, X(n) = (min(n, knee) + share (n - knee)) / single_s."""
    flying: list[float] = []

    def server(at_s: float) -> Answer:
        while flying and flying[0] <= at_s:
            heapq.heappop(flying)
        n = len(flying) + 1
        rate = (min(n, knee) + share * max(0, n - knee)) / single_s
        done_s = at_s + rng.exponential(n / rate)
        heapq.heappush(flying, done_s)
        return _answer(at_s, done_s)

    return server


def run(users: int, length_s: int, server: Server, spawn: int = 3) -> VirtualRun:
    """Users rise from `users` on."""
    plan = Plan(curve_of((Phase(users, spawn, length_s),)), StopConditions(), TargetRef("mock:"))
    return run_virtual(plan, server)


def drifting(rng: np.random.Generator) -> bool:
    return run(1, 1200, Servers(64, 0.2, rng, drift(rng, 0.05, 15))).stop.reason is Reason.FLAT


def gaining(rng: np.random.Generator) -> bool:
    return run(1, 1200, gain(rng, 0.2, 10, 0.2)).stop.reason is Reason.FLAT


def flat(rng: np.random.Generator) -> bool:
    return run(1, 1200, Servers(10, 0.2, rng)).stop.reason is Reason.FLAT


def searched(rng: np.random.Generator) -> tuple[float, float]:
    """(share of Default searches that report at least 95 % of the capacity, share whose knee is a level off at most).

    A batching server, up to 16 requests in 40 ms and 4 ms for each; counts of 30 s levels drawn around its curve.
    """
    users = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    curve = [min(n, 16) / (0.04 + 0.004 * min(n, 16)) for n in users]
    near = knees = 0
    for _ in range(DRAWS):
        drawn = [x + math.sqrt(x / 30) * float(rng.standard_normal()) for x in curve]
        start = plateau_start(list(zip(map(float, users), drawn, strict=True)))
        near += curve[-1 if start is None else start] >= 0.95 * max(curve)
        errors = [math.sqrt(x / 30) for x in curve]
        rates = [
            LevelRate(float(n), x, error, 19, n / x, 0.0, round(30 * x))
            for n, x, error in zip(users, drawn, errors, strict=True)
        ]
        knees += knee_users(rates) in (12.0, 16.0, 24.0)
    return near / DRAWS, knees / DRAWS


ROWS = {"drifting": drifting, "gain": gaining, "plateau": flat}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two runs: does it work, not how good is it")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    chosen = parser.parse_args()
    runs = 2 if chosen.quick else chosen.runs
    if chosen.only in "search":
        near, knees = searched(np.random.default_rng(chosen.seed))
        emit("rise", case="search", runs=DRAWS, within_5_percent_share=near, knee_a_level_off_at_most_share=knees)
    for name, stops in ROWS.items():
        if chosen.only in name:
            found = 0
            for i in range(runs):
                found += stops(np.random.default_rng([chosen.seed, i]))
                emit("rise", case=name, runs=i + 1, flat=found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
