"""What the holder of a run asked of it. It is only ever raised: who has asked for an end at once does not get less."""

from __future__ import annotations

import enum

__all__ = ["Asked"]


class Asked(enum.IntEnum):
    """What a run's owner asked of it, in the order of urgency."""

    NOTHING = 0  # it runs to its own end
    STOP = 1  # no new request, drain, result
    KILL = 2  # now: requests in flight are cut, the windows that arrived are the result
