"""One capacity search against one endpoint in virtual time, as the engine would drive it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.endpoints import FAMILIES, Family, Loop
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.search.capacity import Capacity, Finished
from loadtest.core.search.search import Search

__all__ = ["Ran", "search", "settings_of"]

START = 1.0
MOST = {"users": 1000.0, "rate": 10_000.0}


@dataclass(frozen=True, slots=True)
class Ran:
    """capacity: what was found. spent: s by load."""

    capacity: Capacity
    spent: dict[float, float]

    def above_share(self, true: float) -> float:
        """Of the time, at a load above the capacity."""
        return sum(s for load, s in self.spent.items() if load > true) / sum(self.spent.values())


def settings_of(family: Family, budget_s: float = 600.0) -> SearchSettings:
    if family.limit_s == math.inf:
        objectives, errors = (), 1 - family.percentile
    else:
        objectives, errors = (Objective(family.percentile, 1000 * family.limit_s),), None
    return SearchSettings(objectives, errors, None, family.by, budget_s=budget_s, max_load=MOST[family.by])


def search(name: str, seed: int, budget_s: float = 600.0) -> Ran:
    """One search in one family."""
    family = FAMILIES[name]
    found, loop = Search(settings_of(family, budget_s)), Loop(family, seed)
    moves, load, spent = [(0.0, START)], START, dict[float, float]()
    for k in range(int(budget_s) + 2):
        if moves and moves[0][0] <= k + 1e-9:
            load = moves.pop(0)[1]
            loop.set_load(load)
        spent[load] = spent.get(load, 0.0) + 1
        answer = found.take(loop.window())
        if isinstance(answer, Finished):
            break
        if answer is not None:
            moves.append((answer.at_s, answer.load))
    return Ran(found.capacity(), spent)
