"""How fast and how right is the capacity search? Endpoints of known capacity, in virtual time, and its peers.

python -m benchmarks.capacity [--quick] [--runs N] [--peers N] [--only TEXT]

A line a family: share of the searches whose interval holds the capacity (and its 95 % lower bound, binomial), median
relative width, virtual time, requests, share of time above the capacity; for families without a capacity, how often no
number was given. Peers with probes of 5, 15 and 60 s: 95th percentile of the relative error, median time and requests.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter

from benchmarks.capacity_peers import PEERS, Probe
from benchmarks.endpoints import FAMILIES, Loop, truth
from benchmarks.machine import emit
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.search.capacity import Capacity, Finished
from loadtest.core.search.search import Search

PROBES_S = (5, 15, 60)


def search(name: str, seed: int, budget_s: float = 600.0) -> Capacity:
    """One search in one family."""
    family = FAMILIES[name]
    objective = Objective(family.percentile, 1000 * family.limit_s)
    found = Search(SearchSettings((objective,), budget_s=budget_s, max_load=1000))
    loop, moves = Loop(family, seed), [(0.0, 1.0)]
    for k in range(int(budget_s) + 2):
        if moves and moves[0][0] <= k + 1e-9:
            loop.set_users(int(moves.pop(0)[1]))
        answer = found.take(loop.window())
        if isinstance(answer, Finished):
            break
        if answer is not None:
            moves.append((answer.at_s, answer.load))
    return found.capacity()


def lower_bound(hits: int, n: int) -> float:
    """One-sided 95 % (Clopper-Pearson), by bisection of the binomial tail."""
    if not hits:
        return 0.0
    low, high = 0.0, hits / n
    for _ in range(50):
        p = (low + high) / 2
        tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(hits, n + 1))
        low, high = (p, high) if tail < 0.05 else (low, p)
    return low


def family(name: str, runs: int) -> None:
    found = [search(name, seed) for seed in range(runs)]
    given = [each for each in found if each.finding == "found"]
    facts = {"family": name, "searches": runs, "findings": dict(Counter(each.finding for each in found))}
    if not FAMILIES[name].has:
        emit("capacity", **facts, no_number=1 - len(given) / runs)
        return
    true = truth(name)
    held = sum((each.low or 0) <= true <= (each.high or math.inf) for each in given)
    errors = sorted(abs((each.load or 0) - true) / true for each in given)
    emit(
        "capacity",
        **facts,
        capacity=true,
        number_given=len(given) / runs,
        coverage=held / max(len(given), 1),
        coverage_at_least=round(lower_bound(held, len(given)), 3) if given else None,
        width=round(statistics.median(each.width or 0 for each in given), 4) if given else None,
        error_95=round(errors[int(0.95 * (len(errors) - 1))], 4) if errors else None,
        time_s=statistics.median(each.time_s for each in found),
        requests=statistics.median(each.requests for each in found),
        above_share=round(statistics.mean(each.above_share for each in found), 3),
    )


def peers(name: str, runs: int) -> None:
    true = truth(name)
    for peer, rule in PEERS.items():
        for seconds in PROBES_S:
            errors, times, requests = [], [], []
            for seed in range(runs):
                probe = Probe(name, 50_000 + seed)
                errors.append(abs(rule(probe, seconds) - true) / true)
                times.append(probe.time_s)
                requests.append(probe.requests)
            errors.sort()
            emit(
                "capacity",
                family=name,
                peer=peer,
                probe_s=seconds,
                searches=runs,
                error_95=round(errors[int(0.95 * (runs - 1))], 4),
                time_s=statistics.median(times),
                requests=statistics.median(requests),
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two searches: does it work, not how good is it")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--peers", type=int, default=20, help="searches of each peer; 0: none")
    parser.add_argument("--only", default="", help="families whose name holds this")
    chosen = parser.parse_args()
    for name in FAMILIES:
        if chosen.only in name:
            family(name, 2 if chosen.quick else chosen.runs)
            if FAMILIES[name].has and chosen.peers and not chosen.quick:
                peers(name, chosen.peers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
