"""Other designs for the run's evidence, on the streams of `whole_run`: what would they stop, and find?

python -m benchmarks.designs [--quick] [--runs N] [--seed N] [--only NAME]

Each takes shares over the limit of blocks of so many seconds, assumes of them only that a block's expected share is at
most q whatever came before, and spends alpha as ours does: half on the run's start, half evenly on a restart every 5 s.

    betting      wealth prod (1 + b (x - q)), a mixture over the bets b (Waudby-Smith, Ramdas, JRSS B 86, 2024)
    Bernstein    prod exp(b (x - q) - (x - m)^2 psi(b)), psi(b) = -log(1 - b) - b, the bet and the running mean m
                 predictable plug-ins (ibid., theorem 2)

`SETTINGS` are those that did best on seed 5, of blocks, bets and caps; figures are of another seed.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import emit
from benchmarks.whole_run import ROWS, Flags, Row
from loadtest.core.stats.assumed import ALPHA

Q = 0.05
RESTART_S = 5
BETS = (0.5, 1.0, 2.0, 4.0, 8.0, 14.0)

Floats = NDArray[np.float64]
Evidence = Callable[[Floats], Floats]
"""Shares of blocks -> log evidence after each."""


def betting(shares: Floats) -> Floats:
    wealth = np.cumsum(np.log1p(np.outer(np.array(BETS), shares - Q)), axis=1)
    return _mean(wealth)


def bernstein(cap: float) -> Evidence:
    def evidence(x: Floats) -> Floats:
        k = np.arange(1, len(x) + 1)
        mean = (0.5 * Q + np.cumsum(x)) / (k + 0.5)
        before = np.concatenate(([Q], mean[:-1]))
        spread = (0.25 * 0.01 + np.cumsum((x - mean) ** 2)) / (k + 0.25)
        spread = np.concatenate(([0.01], spread[:-1]))
        bet = np.minimum(cap, np.sqrt(2 * math.log(1 / ALPHA) / (spread * k * np.log1p(k))))
        found: Floats = np.cumsum(bet * (x - Q) + (x - before) ** 2 * (np.log1p(-bet) + bet))
        return found

    return evidence


# What it is called -> (the evidence, lengths of blocks; several: the mean of their evidence).
SETTINGS: dict[str, tuple[Evidence, tuple[int, ...]]] = {
    "betting, 1 s": (betting, (1,)),
    "betting, 2 s": (betting, (2,)),
    "betting, 5 s": (betting, (5,)),
    "betting, 1, 5, 25 s": (betting, (1, 5, 25)),
    "Bernstein, 1 s, bets to 0.99": (bernstein(0.99), (1,)),
}


def stop_of(flags: Flags, rate: int, evidence: Evidence, blocks_s: tuple[int, ...]) -> int | None:
    """After how many seconds it stops; None: never."""
    shares = flags[: len(flags) // rate * rate].reshape(-1, rate).mean(axis=1)
    starts = range(0, len(shares), RESTART_S)
    midway = math.log(2 * max(1, len(starts) - 1) / ALPHA)
    best = len(shares) + 1
    for first in starts:
        if first >= best:
            break
        scales = [_by_second(evidence, shares[first : best - 1], block_s) for block_s in blocks_s]
        over = np.flatnonzero(_mean(np.array(scales)) >= (midway if first else math.log(2 / ALPHA)))
        if over.size:
            best = first + int(over[0]) + 1
    return None if best > len(shares) else best


def _by_second(evidence: Evidence, shares: Floats, block_s: int) -> Floats:
    """Log evidence after each second; that of a block is there when it is over."""
    found = np.zeros(len(shares))
    count = len(shares) // block_s
    if count:
        after = evidence(shares[: count * block_s].reshape(-1, block_s).mean(axis=1))
        found[block_s - 1 :] = np.repeat(after, block_s)[: len(found) - block_s + 1]
        found[count * block_s :] = after[-1]
    return found


def _mean(logs: Floats) -> Floats:
    """Of evidence whose logarithms these are, over the first axis."""
    most = logs.max(axis=0)
    found: Floats = most + np.log(np.exp(logs - most).mean(axis=0))
    return found


def measure(name: str, row: Row, runs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = [row.draw(rng) for _ in range(runs)]
    for label, (evidence, blocks_s) in SETTINGS.items():
        every = [stop_of(flags, row.rate, evidence, blocks_s) for flags in streams]
        stops = [stop for stop in every if stop is not None]
        in_time = None if row.within_s is None else sum(stop <= row.within_s for stop in stops) / runs
        values = {"stopped_share": len(stops) / runs, "in_time": in_time, "runs": runs}
        emit("design", case=name, rule=label, median_s=statistics.median(stops) if stops else None, **values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few runs: does it work")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=91)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    chosen = parser.parse_args()
    for name, row in ROWS.items():
        if chosen.only in name:
            measure(name, row, 3 if chosen.quick else chosen.runs, chosen.seed)


if __name__ == "__main__":
    main()
