"""Did one side hold the latency threshold where the other broke it? No clock, no I/O.

A run that breaks its threshold ends there, so its last level is cut short because it looked bad, and no figure of it
may be averaged. What may be asked of it is the question that ended it: is the share of requests over the limit above
what is allowed? The evidence for that, and for the opposite, is always valid (`core/stats/evidence.py`): it holds
whenever a run was stopped, for whatever reason. The runs of a side are one sample, which is made smaller first:

    held      by the effect of dependence, and by as much as Student's t is wider than the normal law, since the effect
              is an estimate
    broken    to one request a window: a few seconds over the limit are one pause, however many requests they hit
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from loadtest.core.compare.dependence import Dependence
from loadtest.core.compare.sample import LevelSample
from loadtest.core.stats.evidence import log_over, log_under
from loadtest.core.stats.quantile import t_quantile

__all__ = ["Held", "held"]

Held = Literal["held", "broken", "undecided"]


def held(levels: Sequence[LevelSample], allowed: float, dependence: Dependence, tail: float) -> Held:
    """levels: one level of all runs of a side. allowed: share of requests that may be over the limit.

    tail: probability of a wrong "held", or of a wrong "broken".
    """
    n = sum(float(level.completed.sum()) for level in levels)
    over = sum(float(level.over.sum()) for level in levels)
    if not n:
        return "undecided"
    limit = -math.log(tail)
    if over > allowed * n:
        windows = min(n, float(sum(len(level.ok) for level in levels)))
        return "broken" if log_over(windows, over * windows / n, allowed) >= limit else "undecided"
    doubt = t_quantile(tail, dependence.freedom) / t_quantile(tail, math.inf)
    effect = max(1.0, *(dependence.effect(level.series("over the limit")) for level in levels)) * doubt**2
    return "held" if log_under(n / effect, over / effect, allowed) >= limit else "undecided"
