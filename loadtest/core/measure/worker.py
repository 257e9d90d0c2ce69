"""One generator process of a distributed run, as its result tells of it. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Worker"]


@dataclass(frozen=True, slots=True)
class Worker:
    """A generator process of a run.

    index: 0 on, in the order they joined; its users' numbers are index, index + count, ... host: its machine's name.
    clock_offset_s: its wall clock minus the master's, from the exchange of questions that took least time.
    clock_within_s: half of what that exchange took, so the offset is right within this; its users may have started
        that far from their times, which the lags of the schedule, taken by its own clock, do not show. Both are 0 of a
        worker that was lost before it was asked: it started no user.
    lost: it fell silent or ended before the run did; why: it was sent home for this.
    """

    index: int
    host: str
    clock_offset_s: float
    clock_within_s: float
    lost: bool = False
    why: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Worker:
        """The inverse of `dataclasses.asdict`."""
        return cls(**values)
