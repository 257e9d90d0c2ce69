"""What browsers are told of one run: its windows as they come, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.live import LiveRun
from loadtest.web.broadcast import Broadcast

__all__ = ["Feed"]


class Feed:
    """The rows of a run for its page. Of a run of `plan`. Windows come from one thread; any number of others read."""

    def __init__(self, plan: Plan) -> None:
        self._run = LiveRun(plan)
        self._progress: Mapping[str, Any] = {}
        self._broadcast = Broadcast(lambda: self._run.history(self._progress))

    @property
    def readers(self) -> int:
        return self._broadcast.readers

    def window(self, window: Window, progress: Mapping[str, Any] | None = None) -> None:
        """progress: how near each stop condition is; None: not told."""

        def make() -> Any:
            self._progress = progress or {}
            return self._run.window(window, self._progress)

        self._broadcast.send("window", make)

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
