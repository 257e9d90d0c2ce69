"""An event loop whose timers are as exact as the kernel's, not rounded to milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors

__all__ = ["new_event_loop", "sharpen_timers"]

_FD_SETSIZE = 1024


def new_event_loop() -> asyncio.SelectorEventLoop:
    """An asyncio loop, not yet current, that wakes up within about 0.1 ms of a timer."""
    if hasattr(selectors, "EpollSelector"):
        return asyncio.SelectorEventLoop(_ExactEpoll())
    return asyncio.SelectorEventLoop()  # kqueue waits with ns precision already


def sharpen_timers() -> None:
    """Ask the kernel not to let this process's timers be late for the sake of power (by default up to 50 us)."""
    # Linux only; where it is not allowed, the default is good enough.
    with contextlib.suppress(OSError), open("/proc/self/timerslack_ns", "w") as slack:
        slack.write("1")


if hasattr(selectors, "EpollSelector"):

    class _ExactEpoll(selectors.EpollSelector):
        """epoll_wait counts in whole ms (selectors rounds up); select on the epoll's own descriptor counts in us."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            fd = self.fileno()
            if timeout is not None and timeout > 0 and fd < _FD_SETSIZE:
                select.select([fd], [], [], timeout)
                timeout = 0
            return super().select(timeout)
