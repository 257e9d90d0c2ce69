"""Where does a Default job's search say that the plateau begins, and what does it say of the rate there?

`python -m benchmarks.default_search [--runs 200] [--only batching]`: endpoints whose plateau is known, closed loops in
virtual time with the built-in fleet's bounds. Columns: rates within 5 % of the truth, intervals of the rate and of the
number of users that hold it, virtual seconds, loads held. One process.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.core.search.capacity import Capacity, Finished
from loadtest.core.search.plateau_search import PlateauSearch
from loadtest.core.search.reading import Reading
from loadtest.jobs.fleet_file import FleetFile
from loadtest.jobs.search import search_of

Law = Callable[[np.random.Generator], float]
Done = tuple[float, float]
"""(when it was answered, when it was sent), s."""


class Servers:
    """c of them, one request each at a time."""

    def __init__(self, c: int, law: Law, rng: np.random.Generator) -> None:
        self._free, self._law, self._rng = [0.0] * c, law, rng
        self._flights: list[Done] = []

    def send(self, at_s: float) -> None:
        begin_s = max(at_s, heapq.heappop(self._free))
        done_s = begin_s + self._law(self._rng)
        heapq.heappush(self._free, done_s)
        heapq.heappush(self._flights, (done_s, at_s))

    def done(self, until_s: float) -> Iterator[Done]:
        while self._flights and self._flights[0][0] < until_s:
            yield heapq.heappop(self._flights)


class Batches:
    """One server that takes all that wait, `most` at most, in `base_s` and `each_s` for each."""

    def __init__(self, most: int, base_s: float, each_s: float, rng: np.random.Generator) -> None:
        self._most, self._base_s, self._each_s, self._rng = most, base_s, each_s, rng
        self._waiting: list[float] = []
        self._batch: list[float] = []
        self._free_s = 0.0

    def send(self, at_s: float) -> None:
        self._waiting.append(at_s)

    def done(self, until_s: float) -> Iterator[Done]:
        while True:
            if not self._batch:
                if not self._waiting or max(self._free_s, self._waiting[0]) >= until_s:
                    return
                begin_s = max(self._free_s, self._waiting[0])
                size = min(self._most, sum(at_s <= begin_s for at_s in self._waiting))
                self._batch, self._waiting = self._waiting[:size], self._waiting[size:]
                self._free_s = begin_s + (self._base_s + self._each_s * size) * float(self._rng.gamma(100, 0.01))
            if self._free_s >= until_s:
                return
            batch, self._batch = self._batch, []
            yield from ((self._free_s, at_s) for at_s in batch)


@dataclass(frozen=True, slots=True)
class Family:
    """users, per_s: where the plateau begins, and the rate there."""

    make: Callable[[np.random.Generator], Servers | Batches]
    users: int
    per_s: float


def _fixed(mean_s: float) -> Law:
    return lambda rng: mean_s


def _exponential(mean_s: float) -> Law:
    return lambda rng: float(rng.exponential(mean_s))


def _lognormal(mean_s: float, sigma: float = 0.3) -> Law:
    return lambda rng: mean_s * math.exp(sigma * rng.standard_normal() - sigma**2 / 2)


FAMILIES = {
    "fixed, 4": Family(lambda rng: Servers(4, _fixed(0.02), rng), 4, 200),
    "exponential, 1": Family(lambda rng: Servers(1, _exponential(0.02), rng), 1, 50),
    "exponential, 4": Family(lambda rng: Servers(4, _exponential(0.02), rng), 4, 200),
    "exponential, 17": Family(lambda rng: Servers(17, _exponential(0.05), rng), 17, 340),
    "log-normal, 6": Family(lambda rng: Servers(6, _lognormal(0.05), rng), 6, 120),
    "log-normal, 2 slow": Family(lambda rng: Servers(2, _lognormal(0.5), rng), 2, 4),
    "batching, 16": Family(lambda rng: Batches(16, 0.04, 0.004, rng), 16, 16 / 0.104),
}


def searched(family: Family, seed: int) -> Capacity:
    """One search."""
    rng = np.random.default_rng(seed)
    settings = search_of(FleetFile.load().search)
    search, endpoint = PlateauSearch(settings), family.make(rng)
    users, leaving, moves = 0, 0, [(0.0, settings.start)]
    for k in range(math.ceil(settings.budget_s) + 1):
        if moves and moves[0][0] <= k:
            change, users = int(moves[0][1]) - users, int(moves.pop()[1])
            leaving += max(-change, 0)
            for _ in range(change):
                if leaving:
                    leaving -= 1
                else:
                    endpoint.send(float(k))
        n, sum_s = 0, 0.0
        for done_s, sent_s in endpoint.done(k + 1.0):
            n, sum_s = n + 1, sum_s + done_s - sent_s
            if leaving:
                leaving -= 1
            else:
                endpoint.send(done_s)
        answer = search.take(Reading(k, float(k), k + 1.0, n, n, (0,), 0, sum_s))
        if isinstance(answer, Finished):
            break
        if answer is not None:
            moves.append((answer.at_s, answer.load))
    return search.capacity()


def row(name: str, runs: int) -> str:
    """One line of the table."""
    family = FAMILIES[name]
    found = [searched(family, seed) for seed in range(runs)]
    rates = np.array([(each.per_min or 0.0) / 60 for each in found])
    held = np.mean([(c.per_min_low or 0) <= 60 * family.per_s <= (c.per_min_high or math.inf) for c in found])
    users = np.mean([(c.low or 0) <= family.users <= (c.high or math.inf) for c in found])
    at = Counter(int(each.shown_met or 0) for each in found).most_common(4)
    cells = (
        f"{name} ({family.users} users, {family.per_s:.4g}/s)",
        f"{100 * np.mean(np.abs(rates / family.per_s - 1) <= 0.05):.1f} %",
        f"{rates.min() / family.per_s:.2f} .. {rates.max() / family.per_s:.2f}",
        f"{100 * held:.1f} %",
        f"{100 * users:.1f} %",
        ", ".join(f"{n}: {count}" for n, count in at),
        f"{np.median([each.time_s for each in found]):.0f} s",
        dict(Counter(each.finding for each in found)),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=200)
    asked.add_argument("--only", default="", help="families whose name holds this")
    args = asked.parse_args()
    print("| endpoint | rate within 5 % | rates / truth | rate's interval | users' interval | users | time | finding |")
    for name in FAMILIES:
        if args.only in name:
            print(row(name, args.runs), flush=True)


if __name__ == "__main__":
    main()
