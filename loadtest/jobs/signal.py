"""How a running test is told to end: in order (drain) or at once. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["StopSignal"]

Action = Callable[[], None]


class StopSignal:
    """Asked once, heard by every test that runs and by every one that would start later.

    asked: someone wants the job to end. at_once: requests in flight are cut, because the service itself ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[tuple[Action, Action]] = []
        self.asked = False
        self.at_once = False

    def ask(self, *, at_once: bool = False) -> None:
        """End in order, or at once; may be asked again, and harder."""
        with self._lock:
            self.asked = True
            self.at_once = self.at_once or at_once
            listeners = list(self._listeners)
        for drain, cut in listeners:
            (cut if at_once else drain)()

    @contextmanager
    def heard_by(self, drain: Action, cut: Action) -> Iterator[None]:
        """While the block runs, `drain` or `cut` is called when asked; at once if that was before."""
        with self._lock:
            self._listeners.append((drain, cut))
            asked, at_once = self.asked, self.at_once
        if asked:
            (cut if at_once else drain)()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove((drain, cut))
