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

    After a run that a signal ended, one more is forgiven: two in a row often find the run over at the second.
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
    seen, over = 0, False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if over:
            # It meant the run, which has just ended: what was found is being written, and is not to be lost by it.
            restore()
            say("it has ended: what was found is being written; once more to leave that")
        elif seen == 1:
            say("stopping: requests in flight are finished first; once more to end at once")
            run.stop()
        else:
            run.kill()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {number: signal.signal(number, handle) for number in heeded("SIGINT", "SIGTERM", "SIGHUP")}
    try:
        yield
    finally:
        over = True
        if not seen:
            restore()
