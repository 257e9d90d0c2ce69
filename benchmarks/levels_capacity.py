"""How often does the interval of an ordinary run's capacity hold? Stairs against endpoints whose capacity is known.

`python -m benchmarks.levels_capacity [--runs 200] [--families M/M/4 ...]`: by family and shape of the stairs, how many
runs gave an interval, how many of those hold the truth, with the binomial lower bound of 95 %, and how wide they are.
Virtual time, one process.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter

import numpy as np

from benchmarks.endpoints import FAMILIES, Loop, truth
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.search.capacity import Capacity
from loadtest.core.search.of_levels import capacity_of_visits
from loadtest.core.stats.evidence import log_beta_ratio

SHAPES = {"fine, 20 s": (0.05, 20), "steps of a tenth, 60 s": (0.1, 60), "steps of a fifth, 120 s": (0.2, 120)}
GAVE = ("found", "between levels")


def shown(family: str, step: float, level_s: int, seed: int) -> Capacity | None:
    """Stairs from a step below half of the truth up to one and a half of it."""
    true = truth(family)
    users = max(1, round(step * true))
    loop, visits = Loop(FAMILIES[family], seed), []
    for load in range(max(1, round(0.5 * true / users)) * users, round(1.5 * true) + users, users):
        loop.set_load(load)
        visits.append((float(load), [loop.window() for _ in range(level_s)]))
    kind = FAMILIES[family]
    settings = SearchSettings((Objective(kind.percentile, 1000 * kind.limit_s),), max_load=float(visits[-1][0]))
    return capacity_of_visits(settings, visits)


def least(held: int, of: int) -> float:
    """Lower bound of the share, binomial, 95 % on one side."""
    if not held:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        tail = 1.0 if held == 0 else math.exp(log_beta_ratio(held, of - held + 1, middle))
        low, high = (middle, high) if tail < 0.05 else (low, middle)
    return low


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=200)
    by_users = [name for name, each in FAMILIES.items() if each.has and each.by == "users"]
    asked.add_argument("--families", nargs="*", default=by_users)
    args = asked.parse_args()
    for family in args.families:
        true = truth(family)
        for shape, (step, level_s) in SHAPES.items():
            found = [shown(family, step, level_s, seed) for seed in range(args.runs)]
            given = [each for each in found if each is not None and each.finding in GAVE]
            held = sum(each.low <= true <= each.high for each in given if each.low and each.high)
            width = float(np.median([each.width or 0.0 for each in given])) if given else math.nan
            others = Counter(each.finding if each else "nothing" for each in found if each not in given)
            said = Counter(each.finding for each in given)
            share = f"{100 * held / len(given):.0f} % (at least {100 * least(held, len(given)):.0f})" if given else "-"
            cells = (family, true, shape, f"{len(given)} {dict(said)}", share, f"{100 * width:.1f} %", dict(others))
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
