"""Did one side hold the latency threshold where the other broke it? No clock, no I/O.

A run that breaks its threshold ends there, so its last level is cut short because it looked bad, and no figure of it
may be averaged. What may be asked of it is the question that ended it: is the share of requests over the limit above
what is allowed? The evidence for that, and for the opposite, is always valid (`core/stats/evidence.py`): it holds
whenever a run was stopped, for whatever reason. Counts are divided by the effect of dependence first, as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from loadtest.core.compare.dependence import Dependence
from loadtest.core.compare.quantile import t_quantile
from loadtest.core.compare.sample import LevelSample
from loadtest.core.stats.evidence import log_over, log_under

__all__ = ["Held", "held", "side_held"]

Held = Literal["held", "broken", "undecided"]


def held(level: LevelSample, allowed: float, dependence: Dependence, tail: float) -> Held:
    """allowed: share of requests that may be over the limit. tail: probability of a wrong "held", or "broken"."""
    # The effect is itself an estimate: as much as Student's t is wider than the normal law, the sample is smaller.
    doubt = t_quantile(tail, dependence.freedom) / t_quantile(tail, math.inf)
    effect = max(1.0, dependence.effect(level.series("over the limit"))) * doubt**2
    n, over = float(level.completed.sum()) / effect, float(level.over.sum()) / effect
    if not n:
        return "undecided"
    limit = -math.log(tail)
    if over > allowed * n:
        return "broken" if log_over(n, over, allowed) >= limit else "undecided"
    return "held" if log_under(n, over, allowed) >= limit else "undecided"


def side_held(answers: Sequence[Held]) -> Held:
    """What all runs of a side say; "undecided" where they disagree."""
    found = set(answers)
    return answers[0] if len(found) == 1 else "undecided"
