"""How fast and how right is the capacity search? Endpoints of known capacity, in virtual time, and its peers beside it.

python -m benchmarks.capacity [--quick] [--runs N] [--first SEED] [--peers N] [--only TEXT] [--for S] [--keep FILE]

A line a family: share of the searches that gave a number (an interval with both ends, and whether it was as narrow as
was asked for), of those whose interval holds the capacity, with the 95 % lower bound (binomial), median relative width,
95th percentile of the estimate's relative error, median time and requests, mean share of the time above the capacity;
for families without a capacity, how often no number was given. A line for each peer and length of its probes; `best` is
the one that reached the search's own error in the least time, and how many times as long it took.

A thousand searches of each family take half an hour: with --keep every search is a line of FILE, a run with the next
--first adds to it, and what is printed is of all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity_peers import PEERS, PROBES_S, Probe
from benchmarks.capacity_search import search
from benchmarks.endpoints import FAMILIES, truth
from benchmarks.machine import emit

Row = Mapping[str, Any]
PEER_SEED = 50_000
LEAST_SEARCHES = 20  # of a peer, for a 95th percentile
MOST_PEER_S = 3_000.0  # of virtual time: who needs longer has lost


def searched(name: str, seed: int, true: float) -> Row:
    """One search."""
    ran = search(name, seed)
    found = ran.capacity
    return {
        "what": "search",
        "family": name,
        "seed": seed,
        "finding": found.finding,
        "load": found.load,
        "low": found.low,
        "high": found.high,
        "time_s": found.time_s,
        "requests": found.requests,
        "above": round(ran.above_share(true), 4),
    }


def peered(name: str, peer: str, probe_s: int, seed: int, true: float) -> Row:
    """One search of a peer."""
    probe = Probe(name, PEER_SEED + seed)
    answer = PEERS[peer](probe, probe_s)
    above_s = sum(s for load, s in probe.spent.items() if load > true)
    values = {"load": answer, "time_s": probe.time_s, "requests": probe.requests, "above": above_s / probe.time_s}
    return {"what": "peer", "family": name, "peer": peer, "probe_s": probe_s, "seed": seed, **values}


def lower_bound(hits: int, n: int) -> float:
    """One-sided 95 % (Clopper-Pearson), by bisection of the binomial tail."""
    low, high = 0.0, hits / n if n else 0.0
    for _ in range(40):
        p = (low + high) / 2
        logs = [
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(p)
            + (n - k) * math.log1p(-p)
            for k in range(hits, n + 1)
            if 0 < p < 1
        ]
        low, high = (p, high) if sum(map(math.exp, logs)) < 0.05 else (low, p)
    return low


def errors_of(rows: Iterable[Row], true: float) -> list[float]:
    return sorted(abs(row["load"] - true) / true for row in rows if row["load"] is not None)


def at_95(errors: Sequence[float]) -> float | None:
    return round(errors[math.ceil(0.95 * len(errors)) - 1], 4) if errors else None


def family(name: str, rows: Sequence[Row], true: float | None) -> Row:
    """The line of a family."""
    given = [row for row in rows if row["load"] is not None]
    facts: dict[str, Any] = {
        "family": name,
        "searches": len(rows),
        "findings": dict(Counter(row["finding"] for row in rows)),
        "number_given": round(len(given) / len(rows), 4),
        "time_s": statistics.median(row["time_s"] for row in rows),
        "requests": statistics.median(row["requests"] for row in rows),
        "above_share": round(statistics.mean(row["above"] for row in rows), 3),
    }
    if true is None:
        quiet = len(rows) - len(given)
        return {**facts, "no_number": round(quiet / len(rows), 4), "at_least": round(lower_bound(quiet, len(rows)), 4)}
    held = sum(row["low"] <= true <= row["high"] for row in given)
    facts |= {"capacity": true, "narrow": round(sum(row["finding"] == "found" for row in rows) / len(rows), 4)}
    if given:
        facts |= {
            "coverage": round(held / len(given), 4),
            "at_least": round(lower_bound(held, len(given)), 4),
            "width": round(statistics.median((row["high"] - row["low"]) / row["load"] for row in given), 4),
            "error_95": at_95(errors_of(given, true)),
        }
    return facts


def peer_lines(rows: Sequence[Row], true: float | None) -> list[Row]:
    """A line for each rule and length of its probes. number_given: above 0: also where there is none to be had."""
    kinds = sorted({(row["peer"], row["probe_s"]) for row in rows})
    found = []
    for peer, probe_s in kinds:
        own = [row for row in rows if (row["peer"], row["probe_s"]) == (peer, probe_s)]
        found.append(
            {
                "peer": peer,
                "probe_s": probe_s,
                "searches": len(own),
                "number_given": round(sum(row["load"] > 0 for row in own) / len(own), 4),
                "error_95": None if true is None else at_95(errors_of(own, true)),
                "time_s": statistics.median(row["time_s"] for row in own),
                "requests": statistics.median(row["requests"] for row in own),
                "above_share": round(statistics.mean(row["above"] for row in own), 3),
            }
        )
    return found


def best_of(ours: Row, peers: Sequence[Row]) -> Row:
    """The peer that reaches the search's error in the least time; None: none does."""
    error = ours.get("error_95")
    enough = [each for each in peers if each["searches"] >= LEAST_SEARCHES and each["error_95"] is not None]
    good = [each for each in enough if error is not None and each["error_95"] <= error + 1e-9]
    if not good:
        return {"best": None}
    best = min(good, key=lambda each: each["time_s"])
    return {
        "best": f"{best['peer']}, {best['probe_s']} s",
        "best_error_95": best["error_95"],
        "time_over_best": round(ours["time_s"] / best["time_s"], 2),
        "requests_over_best": round(ours["requests"] / min(each["requests"] for each in good), 2),
    }


class Kept:
    """Rows in a file, or in memory: those of earlier runs and those of this one."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        old = self._path.read_text() if self._path and self._path.exists() else ""
        self.rows: list[Row] = [json.loads(line) for line in old.splitlines()]

    def add(self, row: Row) -> None:
        self.rows.append(row)
        if self._path:
            with self._path.open("a") as file:
                file.write(json.dumps(row) + "\n")

    def of(self, what: str, name: str) -> list[Row]:
        return [row for row in self.rows if (row["what"], row["family"]) == (what, name)]

    def truth(self, name: str) -> float:
        for row in self.of("truth", name):
            return float(row["capacity"])
        self.add({"what": "truth", "family": name, "capacity": truth(name)})
        return self.truth(name)


def run(name: str, chosen: argparse.Namespace, kept: Kept, until: float) -> None:
    """What was asked for of one family, as far as time allows."""
    true = kept.truth(name) if FAMILIES[name].has else math.inf
    done = {row["seed"] for row in kept.of("search", name)}
    for seed in range(chosen.first, chosen.first + chosen.runs):
        if seed not in done and time.monotonic() < until:
            kept.add(searched(name, seed, true))
    known = {(row["peer"], row["probe_s"], row["seed"]) for row in kept.of("peer", name)}
    for peer in PEERS:
        for probe_s in PROBES_S:
            for seed in range(chosen.peers):
                if (peer, probe_s, seed) in known or time.monotonic() > until:
                    continue
                row = peered(name, peer, probe_s, seed, true)
                kept.add(row)
                if row["time_s"] > MOST_PEER_S:
                    break


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two searches: does it work, not how good is it")
    parser.add_argument("--runs", type=int, default=100, help="searches of each family")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--peers", type=int, default=20, help="searches of each peer; 0: none")
    parser.add_argument("--only", default="", help="families whose name holds this")
    parser.add_argument(
        "--for", dest="seconds", type=float, default=math.inf, help="start nothing after so many seconds"
    )
    parser.add_argument("--keep", metavar="FILE", help="every search is a line of it, and those in it count")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.runs, chosen.peers = 2, 0
    kept, until = Kept(chosen.keep), time.monotonic() + chosen.seconds
    for name in FAMILIES:
        if chosen.only not in name:
            continue
        if time.monotonic() < until:
            run(name, chosen, kept, until)
        rows = kept.of("search", name)
        if not rows:
            continue
        true = kept.truth(name) if FAMILIES[name].has else None
        line, others = family(name, rows, true), peer_lines(kept.of("peer", name), true)
        emit("capacity", **line, **(best_of(line, others) if others and true is not None else {}))
        for other in others:
            emit("capacity_peers", family=name, **other)
    return 0


if __name__ == "__main__":
    sys.exit(main())
