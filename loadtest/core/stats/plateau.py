"""The plateau: the users from whom on more of them bring no more throughput. The one rule that says so.

    adjusted(level) = throughput - users x 10 % of what a single user brings
    plateau         = from the level where that is highest: beyond it each added user brings less than those 10 % (S6)

As long as throughput grows the last level has it, and there is none. It does not matter whether a level in between
came out a little high or low, and a fall after a peak is a plateau too. Units: users, requests per second. A live run
asks for evidence besides, that this is no chance (`judge/stop/flat.py`); a result, which has all the levels, does not.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["GAIN", "plateau_start", "single_user_rate"]

GAIN = 0.10  # of the single-user rate, per added user: less is no gain

Point = tuple[float, float]
"""(users, throughput) of a level."""


def single_user_rate(levels: Sequence[Point]) -> float:
    """What one user alone brings, a second: the most that a user has at any level, since others only slow it down."""
    return max((per_s / users for users, per_s in levels if users > 0), default=0.0)


def plateau_start(levels: Sequence[Point]) -> int | None:
    """Index of the level that the plateau begins with; None: throughput grew to the end, or nothing was served."""
    single_per_s = single_user_rate(levels)
    if single_per_s <= 0:
        return None
    adjusted = [per_s - GAIN * single_per_s * users for users, per_s in levels]
    # The first of equals: a tie is no gain.
    start = max(range(len(levels)), key=lambda i: (adjusted[i], -levels[i][0]))
    return start if levels[start][0] < max(users for users, _ in levels) else None
