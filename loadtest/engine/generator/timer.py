"""Waking up at an instant of the monotonic clock, as exactly as the kernel can. Runs in a patched process.

The event loop's own timers are rounded to whole milliseconds (epoll's unit), which at 500 requests a second would make
every request late. A timerfd is an ordinary descriptor to the loop and counts in nanoseconds.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import gevent

__all__ = ["Timer"]

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, 0o2000000
_READ = 1  # of libev's events


class _TimerSpec(ctypes.Structure):
    """struct itimerspec: seconds and ns of the interval, seconds and ns of the first time."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    )


class Timer:
    """Wakes one greenlet at an instant. `close` frees it."""

    def __init__(self) -> None:
        self._fd = -1
        self._libc: Any = None
        self._hub = gevent.get_hub()
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        loop = self._hub.loop
        self._watcher = loop.io(self._fd, _READ, priority=loop.MAXPRI) if self._fd >= 0 else None

    def wait_until(self, at_ns: int) -> None:
        """Sleep until `at_ns` of the monotonic clock; never less, and not at all if it has passed."""
        while (left_ns := at_ns - time.monotonic_ns()) > 0:
            if self._watcher is None:
                gevent.sleep(left_ns / 1e9)
                continue
            spec = _TimerSpec(0, 0, *divmod(at_ns, 1_000_000_000))
            self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)
            self._hub.wait(self._watcher)

    def close(self) -> None:
        """Harmless if called twice."""
        if self._fd >= 0:
            if self._watcher is not None:
                self._watcher.close()
            os.close(self._fd)
            self._fd = -1
