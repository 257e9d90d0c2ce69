"""What the generator knows about itself: a late loop, a busy core, a host that steals time, a clock that steps."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent

__all__ = ["Probe", "Readings"]

INTERVAL_S = 0.01
BLINK_S = 1.0  # shorter than any sleep of a machine, longer than a busy one takes between the readings of two clocks


@dataclass(frozen=True, slots=True)
class Readings:
    """Since the readings before; the fields mean what they mean in `loadtest.core.measure.window.Window`."""

    loop_lag_s: float
    cpu: float
    steal: float
    clock_step_s: float
    suspended_s: float


class Probe:
    """A greenlet that sleeps and looks how late it wakes. turns: how often the loop has come round to it.

    on_turn: called every time, some hundred times a second.
    """

    def __init__(self, on_turn: Callable[[], None] = lambda: None) -> None:
        self.turns = 0
        self._on_turn = on_turn
        self._lag_s = 0.0
        # Opened now, and once: later there may be no descriptor left.
        self._schedstat, self._stat = _File("/proc/self/schedstat"), _File("/proc/stat")
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
            cpu=max(0.0, now.cpu_s - before.cpu_s + now.queued_s - before.queued_s) / length_s,
            # The kernel does not promise that its counters never go back.
            steal=min(1.0, max(0.0, (now.steal_ticks - before.steal_ticks) / ticks)) if ticks > 0 else 0.0,
            clock_step_s=(now.real_s - before.real_s) - (now.monotonic_s - before.monotonic_s),
            suspended_s=suspended_s(now.boot_s - before.boot_s, now.monotonic_s - before.monotonic_s),
        )
        self._lag_s = 0.0
        return readings

    def close(self) -> None:
        self._greenlet.kill()
        self._schedstat.close()
        self._stat.close()

    def _watch(self) -> None:
        while True:
            asleep_s = time.monotonic()
            gevent.sleep(INTERVAL_S)
            self.turns += 1
            self._on_turn()
            self._lag_s = max(self._lag_s, time.monotonic() - asleep_s - INTERVAL_S)

    def _now(self) -> _Marks:
        steal, every = _stolen(self._stat.text())
        return _Marks(
            monotonic_s=time.monotonic(),
            real_s=time.time(),
            boot_s=boot_s(),
            cpu_s=time.process_time(),
            queued_s=_queued_s(self._schedstat.text()),
            steal_ticks=steal,
            all_ticks=every,
        )


@dataclass(frozen=True, slots=True)
class _Marks:
    monotonic_s: float
    real_s: float
    boot_s: float
    cpu_s: float
    queued_s: float
    steal_ticks: int
    all_ticks: int


def boot_s() -> float:
    """The monotonic clock with the time that the machine was suspended; where there is none, the monotonic clock."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def suspended_s(by_boot_s: float, by_monotonic_s: float) -> float:
    """Of two lengths of one time: the sleep that the first contains."""
    asleep_s = by_boot_s - by_monotonic_s
    return asleep_s if asleep_s > BLINK_S else 0.0


class _File:
    """A file of the kernel's, read again and again; "" where there is none."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except OSError:
            self._fd = -1

    def text(self) -> str:
        try:
            return os.pread(self._fd, 4096, 0).decode("ascii", "replace") if self._fd >= 0 else ""
        except OSError:
            return ""

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _queued_s(schedstat: str) -> float:
    """How long the main thread has waited for a core while it could have run; 0.0 where the kernel does not tell.

    A core that somebody else keeps busy limits the generator as much as one that it keeps busy itself.
    """
    try:
        return int(schedstat.split()[1]) / 1e9
    except (ValueError, IndexError):
        return 0.0


def _stolen(stat: str) -> tuple[int, int]:
    """(ticks stolen by the host, all ticks) of all cores since boot; zeros where the kernel does not tell."""
    try:
        ticks = [int(field) for field in stat.partition("\n")[0].split()[1:9]]
    except ValueError:
        return 0, 0
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else (0, 0)
