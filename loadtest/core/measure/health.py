"""What a generator knows of itself in a window. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Health"]


@dataclass(frozen=True, slots=True)
class Health:
    """How a generator fared, or several together: then the worst of each.

    spawned: users started; spawn_lag_*_s: how late they were. loop_lag_s: the event loop's worst lateness.
    cpu: (CPU time of the generator + its wait for a core) / length, 1.0 is one core. steal: share of CPU time that the
        host took away.
    clock_step_s: how far the wall clock moved against the monotonic one.
    suspended_s: how long the machine slept, a time that the clock of all other figures leaves out.
    workers, lost_workers: generator processes that took part, and that were lost so far.
    """

    spawned: int = 0
    spawn_lag_sum_s: float = 0.0
    spawn_lag_max_s: float = 0.0
    loop_lag_s: float = 0.0
    cpu: float = 0.0
    steal: float = 0.0
    clock_step_s: float = 0.0
    suspended_s: float = 0.0
    workers: int = 1
    lost_workers: int = 0

    @classmethod
    def merged(cls, parts: Sequence[Health]) -> Health:
        """Of several generators in one window; at least one."""
        return cls(
            spawned=sum(part.spawned for part in parts),
            spawn_lag_sum_s=sum(part.spawn_lag_sum_s for part in parts),
            spawn_lag_max_s=max(part.spawn_lag_max_s for part in parts),
            loop_lag_s=max(part.loop_lag_s for part in parts),
            cpu=max(part.cpu for part in parts),
            steal=max(part.steal for part in parts),
            clock_step_s=max((part.clock_step_s for part in parts), key=abs),
            suspended_s=max(part.suspended_s for part in parts),
            workers=sum(part.workers for part in parts),
            lost_workers=max(part.lost_workers for part in parts),
        )
