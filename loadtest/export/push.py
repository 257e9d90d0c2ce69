"""Figures that are sent or written now and then, by a thread of their own, and once more at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Push"]

LAST_S = 5.0  # that the last one may take
AFTER_LOSS_S = 1.0  # if something was lost before
ABORT_S = 1.0


class Push:
    """Calls `send` every `every_s` seconds between `start` and `close`, and a last time in `close`.

    name: of what is sent, for people. send: raises, with the reason as its text, if what was to be sent is lost; it is
    never called twice at once. abort: makes a `send` that hangs end soon, and later ones fail; called once.
    """

    def __init__(
        self, name: str, send: Callable[[], None], every_s: float, abort: Callable[[], None] = lambda: None
    ) -> None:
        self._name = name
        self._send = send
        self._every_s = every_s
        self._abort = abort
        self._over = threading.Event()
        self._sent = 0
        self._lost = 0
        self._why = ""
        self._thread = threading.Thread(target=self._work, name=f"loadtest-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> str:
        """Send once more, for a few seconds at the most; what was lost in all, as a sentence. "": nothing."""
        self._over.set()
        limit_s = AFTER_LOSS_S if self._lost else LAST_S
        self._thread.join(limit_s)
        hanging = self._thread.is_alive()
        self._abort()
        if hanging:
            self._thread.join(ABORT_S)
        if self._thread.is_alive():
            self._lost += 1
            self._why = self._why or f"no answer within {limit_s:g} s"
        if not self._lost:
            return ""
        return f"{self._name}: {self._lost} of {self._sent} exports were lost: {self._why}"

    def _work(self) -> None:
        while not self._over.wait(self._every_s):
            self._once()
        self._once()

    def _once(self) -> None:
        self._sent += 1
        try:
            self._send()
        except Exception as problem:  # counted, and told at the end: an exporter never disturbs a run
            self._lost += 1
            why = problem.strerror if isinstance(problem, OSError) else str(problem)
            self._why = self._why or why or type(problem).__name__
