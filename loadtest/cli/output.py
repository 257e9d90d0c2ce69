"""Standard output and error as a convenience: when nobody can read them any more, what goes on here goes on."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

__all__ = ["Forgiving", "forgiving_output"]


class Forgiving:
    """A text stream whose reader may leave. After the first failure all else is dropped.

    lost: why; None: it works. A reader that has had enough (`| head`) is no failure to speak of.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Never raises for the sake of the stream."""
        if self.lost is None:
            try:
                return self._stream.write(text)
            except OSError as problem:
                self._lose(problem)
        return len(text)

    def flush(self) -> None:
        if self.lost is None:
            try:
                self._stream.flush()
            except OSError as problem:
                self._lose(problem)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def failed(self) -> bool:
        """What was written is not where it was to go, though somebody wanted it there."""
        return self.lost is not None and self.lost.errno != errno.EPIPE

    def _lose(self, problem: OSError) -> None:
        self.lost = problem
        # The interpreter flushes what is left in the buffer at its end, and would complain.
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            pass


@contextmanager
def forgiving_output() -> Iterator[tuple[Forgiving, Forgiving]]:
    """sys.stdout and sys.stderr are forgiving inside."""
    before = sys.stdout, sys.stderr
    out, err = Forgiving(sys.stdout), Forgiving(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
        out.flush()
    finally:
        sys.stdout, sys.stderr = before
