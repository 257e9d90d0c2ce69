"""How many instances an endpoint has while a run goes on: asked twice a minute, each change with its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from loadtest.aws.clients import UNANSWERED, Clients, aws_words
from loadtest.aws.endpoint import counts_of
from loadtest.aws.regular import Regular

__all__ = ["InstanceWatch"]

PERIOD_S = 30.0


class InstanceWatch:
    """A context manager with a thread of its own, which never keeps a run waiting.

    seen: {"at": epoch seconds, "variant", "from", "to"} of each change, in order. Counts are as of the last look, so a
    change is known to within a period. lost: why it could not be asked at times; "": it always could.
    """

    def __init__(
        self,
        clients: Clients,
        name: str,
        counts: dict[str, int],
        say: Callable[[str], None],
        period_s: float = PERIOD_S,
    ) -> None:
        self.seen: list[dict[str, Any]] = []
        self.lost = ""
        self._clients, self._name, self._counts = clients, name, dict(counts)
        self._say = say
        self._looking = Regular(self.look, period_s, "instances")

    def __enter__(self) -> InstanceWatch:
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.end()
        if kind is None:
            self.look()  # what came after the last look

    def look(self) -> None:
        """Ask once."""
        try:
            counts = counts_of(self._clients, self._name)
        except UNANSWERED as problem:
            self.lost = aws_words(problem)
            return
        for variant, count in counts.items():
            before = self._counts.get(variant)
            if before is not None and before != count:
                self.seen.append({"at": round(time.time(), 3), "variant": variant, "from": before, "to": count})
                self._say(f"instances of {variant}: {before} -> {count}")
            self._counts[variant] = count
