"""How long somebody has been waiting while this process ran. No I/O.

A process that was stopped (Ctrl-Z, SIGSTOP), or whose machine was paused, finds on waking that everybody has been
silent for the whole time: nobody has, it was away itself. So what waits for others counts the time that it looked.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Awake"]


class Awake:
    """Seconds that its owner has lived through, by a clock that only goes forward.

    most_s: what counts of the time between two looks; more than this and the owner was not there.
    back_s: by the clock, when it came back the last time; at first, when it began.
    """

    def __init__(self, clock: Callable[[], float], most_s: float = 1.0) -> None:
        self._clock, self._most_s = clock, most_s
        self._looked_s = self.back_s = clock()
        self.now_s = 0.0

    def look(self) -> float:
        """`now_s`, brought up to date. To be called more often than every `most_s`."""
        now_s = self._clock()
        passed_s = max(now_s - self._looked_s, 0.0)
        self.now_s += min(passed_s, self._most_s)
        self._looked_s = now_s
        if passed_s > self._most_s:
            self.back_s = now_s
        return self.now_s
