"""Waiting for a run's end at a terminal: signals end it in order, or at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, TypeVar

from loadtest.signals import heeded

__all__ = ["attended"]

LOOK_S = 0.2  # Python runs signal handlers between two looks


_Result = TypeVar("_Result", covariant=True)


class Ends(Protocol[_Result]):
    """Something that goes on: a run, or a whole job."""

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def result(self, timeout_s: float | None = None, /) -> _Result: ...


def attended(run: Ends[_Result], say: Callable[[str], None]) -> _Result:
    """The result of `run`, however long it takes. The first signal ends it in order, the second at once.

    say: tells the user what a signal did. Raises what `Run.result` does.
    """
    with _signals(run, say):
        while True:
            try:
                return run.result(LOOK_S)
            except TimeoutError:
                continue


@contextmanager
def _signals(run: Ends[object], say: Callable[[str], None]) -> Iterator[None]:
    seen = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            say("stopping: requests in flight are finished first; once more to end at once")
            run.stop()
        else:
            run.kill()

    before = {number: signal.signal(number, handle) for number in heeded("SIGINT", "SIGTERM", "SIGHUP")}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
