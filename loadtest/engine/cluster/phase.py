"""The phases of a distributed run, as its master goes through them, and what a worker may tell in each.

    GATHERING --plan out--> OPENING --start--> RUNNING --stop--> DRAINING --drain limit--> CUTTING
        |                      |                                    |                         |
        '---- told to stop ----'--> it raises                       '---- all drained --------'--> over

There is no way back. Before RUNNING there is nothing to keep: whatever goes wrong then ends the run with an error.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["RunPhase", "too_early"]


class RunPhase(enum.IntEnum):
    """How far a run on several processes has come, in the order of time."""

    GATHERING = 1  # workers come and go
    OPENING = 2  # the plan is out, nobody comes any more: workers open the target, clocks are compared
    RUNNING = 3  # every worker follows its part of the curve
    DRAINING = 4  # the decision to stop is made and told: requests in flight end
    CUTTING = 5  # those that did not end in time are cut


# Message of a worker -> (from which phase on it can be true, why not before).
_EARLIEST: Mapping[str, tuple[RunPhase, str]] = {
    "window": (RunPhase.RUNNING, "the run has not begun"),
    "drained": (RunPhase.DRAINING, "nobody has told it to stop"),
    "cut": (RunPhase.DRAINING, "nobody has told it to stop"),
}


def too_early(kind: str, phase: RunPhase) -> str:
    """Why a worker cannot say `kind` yet; "": it can."""
    earliest, why = _EARLIEST.get(kind, (RunPhase.GATHERING, ""))
    return why if phase < earliest else ""
