"""Timeouts that cost nothing per request: one timer per process looks for requests that are overdue."""

from __future__ import annotations

from time import monotonic_ns
from typing import Any, Protocol

from gevent import get_hub

__all__ = ["Watchdog"]

_SLOWEST_S = 1.0
_FASTEST_S = 0.05


class Watched(Protocol):
    """Something that may wait too long. since_ns: monotonic time its wait began; 0: it does not wait."""

    since_ns: int

    def expire(self) -> None:
        """It has waited too long."""
        ...


class Watchdog:
    """Calls `expire` on whatever waits longer than `limit_s`, at most a tenth of it (or 1 s) late."""

    def __init__(self, limit_s: float) -> None:
        self._limit_ns = int(limit_s * 1e9)
        self._interval_s = min(max(limit_s / 10, _FASTEST_S), _SLOWEST_S)
        self._watched: set[Watched] = set()
        self._timer: Any = None

    def add(self, watched: Watched) -> None:
        """Watch it until `discard`. The timer runs in the hub of the thread that adds first."""
        self._watched.add(watched)
        if self._timer is None:
            self._timer = get_hub().loop.timer(self._interval_s, self._interval_s, ref=False)
            self._timer.start(self._look)

    def discard(self, watched: Watched) -> None:
        """Watch it no longer; nothing changes if it is not watched."""
        self._watched.discard(watched)
        if not self._watched and self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _look(self) -> None:
        latest_ns = monotonic_ns() - self._limit_ns
        overdue = [watched for watched in self._watched if 0 < watched.since_ns < latest_ns]
        for watched in overdue:
            # It runs on until it waits again, and may have come to an end until its turn comes.
            if 0 < watched.since_ns < latest_ns:
                watched.expire()
