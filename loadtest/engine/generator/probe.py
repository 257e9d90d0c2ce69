"""What the generator knows about itself: a late loop, a busy core, a host that steals time, a clock that steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent

__all__ = ["Probe", "Readings"]

INTERVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class Readings:
    """Since the readings before; the fields mean what they mean in `loadtest.core.measure.window.Window`."""

    loop_lag_s: float
    cpu: float
    steal: float
    clock_step_s: float


class Probe:
    """A greenlet that sleeps and looks how late it wakes. turns: how often the loop has come round to it.

    on_turn: called every time, some hundred times a second.
    """

    def __init__(self, on_turn: Callable[[], None] = lambda: None) -> None:
        self.turns = 0
        self._on_turn = on_turn
        self._lag_s = 0.0
        self._marks = self._now()
        self._greenlet = gevent.spawn(self._watch)

    def take(self) -> Readings:
        """What happened since the last take."""
        before, now = self._marks, self._now()
        self._marks = now
        length_s = max(now.monotonic_s - before.monotonic_s, 1e-9)
        ticks = now.all_ticks - before.all_ticks
        readings = Readings(
            loop_lag_s=self._lag_s,
            cpu=(now.cpu_s - before.cpu_s + now.queued_s - before.queued_s) / length_s,
            steal=(now.steal_ticks - before.steal_ticks) / ticks if ticks else 0.0,
            clock_step_s=(now.real_s - before.real_s) - (now.monotonic_s - before.monotonic_s),
        )
        self._lag_s = 0.0
        return readings

    def close(self) -> None:
        self._greenlet.kill()

    def _watch(self) -> None:
        while True:
            asleep_s = time.monotonic()
            gevent.sleep(INTERVAL_S)
            self.turns += 1
            self._on_turn()
            self._lag_s = max(self._lag_s, time.monotonic() - asleep_s - INTERVAL_S)

    def _now(self) -> _Marks:
        steal, every = _stolen()
        return _Marks(time.monotonic(), time.time(), time.process_time(), _queued_s(), steal, every)


@dataclass(frozen=True, slots=True)
class _Marks:
    monotonic_s: float
    real_s: float
    cpu_s: float
    queued_s: float
    steal_ticks: int
    all_ticks: int


def _queued_s() -> float:
    """How long the main thread has waited for a core while it could have run; 0.0 where the kernel does not tell.

    A core that somebody else keeps busy limits the generator as much as one that it keeps busy itself.
    """
    try:
        with open("/proc/self/schedstat", encoding="ascii") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _stolen() -> tuple[int, int]:
    """(ticks stolen by the host, all ticks) of all cores since boot; zeros where the kernel does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:
            ticks = [int(field) for field in stat.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else (0, 0)
