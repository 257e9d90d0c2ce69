"""How much a comparison that is looked at while its repeats come in may err at each look. No clock, no I/O.

The error probability of all looks together is at most ALPHA: a fifth of it is shared by the looks before the last, and
the last has the rest. Few runs decide only what is plain then, and having looked costs the last look little
(Haybittle 1971; Peto et al. 1976; with Bonferroni's inequality in place of a normal law).
"""

from __future__ import annotations

from loadtest.core.compare.comparison import ALPHA

__all__ = ["FIRST_LOOK", "alpha_at"]

FIRST_LOOK = 3  # repeats a side: from there on the variance between runs is known
EARLY_SHARE = 0.2


def alpha_at(repeats: int, planned: int) -> float | None:
    """alpha of the look after so many of the planned repeats; None: too early to look."""
    if repeats >= planned:
        return ALPHA if planned <= FIRST_LOOK else (1 - EARLY_SHARE) * ALPHA
    if repeats < FIRST_LOOK:
        return None
    return EARLY_SHARE * ALPHA / (planned - FIRST_LOOK)
