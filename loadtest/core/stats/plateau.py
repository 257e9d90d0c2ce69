"""The plateau: the users from whom on more of them bring no more throughput. The one rule that says so.

    adjusted(level) = throughput - users x 10 % of what a single user brings
    plateau         = from the level where that is highest: beyond it each added user brings less than those 10 % (S6)

Where the levels' uncertainty is known, it is the first level that no later one significantly exceeds: on a plateau the
highest of many is the one that luck made highest. As long as throughput grows the last level has it, and there is none.
It does not matter whether a level in between came out a little high or low, and a fall after a peak is a plateau too.
Units: users, requests per second. A live run asks for evidence besides, that this is no chance (`judge/stop/flat.py`);
a result, which has all the levels, does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["GAIN", "least_gain", "plateau_start", "single_user_rate"]

GAIN = 0.10  # of the single-user rate, per added user: less is no gain
SIGNIFICANT = 2.33  # standard errors: 99 %

Point = tuple[float, float]
"""(users, throughput) of a level."""


def single_user_rate(levels: Sequence[Point]) -> float:
    """What one user alone brings, a second: the most that a user has at any level, since others only slow it down."""
    return max((per_s / users for users, per_s in levels if users > 0), default=0.0)


def least_gain(levels: Sequence[Point]) -> float:
    """What an added user must bring, a second, or it is no gain."""
    return GAIN * single_user_rate(levels)


def plateau_start(levels: Sequence[Point], errors_per_s: Sequence[float] = ()) -> int | None:
    """Index of the level that the plateau begins with; None: throughput grew to the end, or nothing was served.

    errors_per_s: standard errors of the throughputs; (): not known.
    """
    gain_per_s = least_gain(levels)
    if gain_per_s <= 0:
        return None
    adjusted = [per_s - gain_per_s * users for users, per_s in levels]
    # The first of equals: a tie is no gain.
    start = max(range(len(levels)), key=lambda i: (adjusted[i], -levels[i][0]))
    if errors_per_s:
        start = next(i for i in range(len(levels)) if i == start or _unexceeded(i, levels, adjusted, errors_per_s))
    return start if levels[start][0] < max(users for users, _ in levels) else None


def _unexceeded(i: int, levels: Sequence[Point], adjusted: Sequence[float], errors_per_s: Sequence[float]) -> bool:
    later = [j for j in range(i + 1, len(levels)) if levels[j][0] > levels[i][0]]
    return all(adjusted[j] - adjusted[i] <= SIGNIFICANT * math.hypot(errors_per_s[i], errors_per_s[j]) for j in later)
