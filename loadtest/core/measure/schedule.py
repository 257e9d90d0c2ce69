"""The schedule's audit: when each user was to start and stop, and when it did (T9). No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from loadtest.core.measure.window import Window

__all__ = ["LATE_S", "Schedule", "UserChange", "audit"]

LATE_S = 0.25  # a user this late is absent from a quarter of a 1 s window: its level's figures begin to show it


class UserChange(NamedTuple):
    """One user that started or was told to stop. Times are seconds since run start."""

    user: int
    action: Literal["start", "stop"]
    planned_s: float
    actual_s: float

    @property
    def lag_ms(self) -> float:
        """Positive: late."""
        return 1000 * (self.actual_s - self.planned_s)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Planned against actual starts. verdict: "late" if any user started more than LATE_S after its time.

    started: users that were started. Lags are 0 if none was.
    """

    verdict: Literal["kept", "late"] = "kept"
    started: int = 0
    max_lag_ms: float = 0.0
    mean_lag_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schedule:
        """The inverse of `to_dict`."""
        return cls(**values)


def audit(changes: Iterable[UserChange], windows: Sequence[Window] = ()) -> Schedule:
    """The audit of a run, from its user changes; from the windows' sums if there are none (an engine that was lost)."""
    lags_ms = [change.lag_ms for change in changes if change.action == "start"]
    if lags_ms:
        return _schedule(len(lags_ms), max(lags_ms), sum(lags_ms))
    started = sum(window.health.spawned for window in windows)
    worst_s = max((window.health.spawn_lag_max_s for window in windows), default=0.0)
    return _schedule(started, 1000 * worst_s, 1000 * sum(window.health.spawn_lag_sum_s for window in windows))


def _schedule(started: int, max_lag_ms: float, lag_sum_ms: float) -> Schedule:
    return Schedule(
        verdict="late" if max_lag_ms > 1000 * LATE_S else "kept",
        started=started,
        max_lag_ms=max_lag_ms,
        mean_lag_ms=lag_sum_ms / started if started else 0.0,
    )
