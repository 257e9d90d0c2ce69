"""Something that is done again and again while other things go on, which it never keeps waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Regular"]


class Regular:
    """Calls `act`, which raises nothing, every `period_s` seconds on a daemon thread of its own, from start to end."""

    def __init__(self, act: Callable[[], None], period_s: float, name: str) -> None:
        self._act, self._period_s = act, period_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._again, name=f"loadtest-{name}", daemon=True)

    def start(self) -> None:
        """The first call comes after a period."""
        self._thread.start()

    def end(self) -> None:
        """No further call begins; one that goes on is not waited for."""
        self._ended.set()

    def _again(self) -> None:
        while not self._ended.wait(self._period_s):
            self._act()
