"""What browsers are told of one run: its windows as they come, its report so far, and how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.live import LiveRun
from loadtest.report.html.render import render_so_far
from loadtest.web.broadcast import Broadcast

__all__ = ["Feed"]

REST = 20  # times as long as making the report took it is not made again: a twentieth of a core at most
LEAST_S = 2.0


class Feed:
    """The rows and the report so far of a run, for its page. Windows come from one thread; any number of others read.

    about: job, label and info, as `build_result` takes them. clock: in seconds.
    """

    def __init__(
        self, plan: Plan, about: Mapping[str, Any] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._plan, self._about = plan, dict(about or {})
        self._run = LiveRun(plan)
        self._windows: list[Window] = []
        self._progress: Mapping[str, Any] = {}
        self._broadcast = Broadcast(lambda: self._run.history(self._progress))
        self._making = threading.Lock()
        self._made, self._made_of, self._next_s = "", 0, 0.0

    @property
    def readers(self) -> int:
        return self._broadcast.readers

    def window(self, window: Window, progress: Mapping[str, Any] | None = None) -> None:
        """progress: how near each stop condition is; None: not told."""

        def make() -> Any:
            self._progress = progress or {}
            self._windows.append(window)
            return self._run.window(window, self._progress)

        self._broadcast.send("window", make)

    def so_far(self, known: int) -> str | None:
        """The report's sections of the windows so far, as JSON (`render_so_far`). None: a reader that has those of
        `known` windows has the newest, or nothing was measured yet.
        """
        with self._making:
            count, began_s = len(self._windows), self._clock()
            if count > self._made_of and began_s >= self._next_s:
                self._made, self._made_of = render_so_far(self._plan, self._windows[:count], self._about), count
                took_s = self._clock() - began_s
                self._next_s = began_s + took_s + max(LEAST_S, REST * took_s)
            return self._made if self._made_of > known else None

    def say(self, text: str) -> None:
        """A line: a warning, a worker that joined."""
        self._broadcast.send("line", lambda: text)

    def done(self, sentences: Sequence[str], *, report: bool) -> None:
        """The run is over. report: there is a page of its result, which browsers go to."""
        self._broadcast.send("done", lambda: {"sentences": list(sentences), "report": report})

    def end(self) -> None:
        """Every reader's stream ends."""
        self._broadcast.end()

    def read(self) -> Iterator[bytes]:
        """Server-sent events: what was so far, then what comes."""
        return self._broadcast.read()
