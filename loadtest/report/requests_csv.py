"""`requests.csv`: some requests one by one, for those who want raw points. Opt-in, and bounded.

A row says which window a request ended in, and its place among those that ended there (of its generator, where there
are several): what the generator keeps of a request has no time of its own.
"""

from __future__ import annotations

import errno

from loadtest.core.measure.window import Window

__all__ = ["MOST_ROWS", "REQUESTS", "RequestRows", "rows_are_lost"]

REQUESTS = "requests.csv"
MOST_ROWS = 1_000_000  # about 40 MB


class RequestRows:
    """The rows of one file. full: no more are made, because there are MOST_ROWS."""

    head = "window,start_s,end_s,place,ok,latency_ms,model_ms\n"

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._left = most
        self.full = False

    def rows(self, window: Window) -> str:
        """Of one window; latencies are empty where there is none."""
        kept = window.requests[: self._left]
        self._left -= len(kept)
        self.full = self.full or len(kept) < len(window.requests)
        span = f"{window.index},{window.start_s!r},{window.end_s!r}"
        return "".join(
            f"{span},{place},{int(latency_us >= 0)},{_ms(latency_us)},{_ms(model_us)}\n"
            for place, latency_us, model_us in kept
        )

    def problems(self) -> tuple[str, ...]:
        """What a reader of the file must know."""
        return (f"{REQUESTS} was full before the end: later windows have no rows",) if self.full else ()


def rows_are_lost() -> None:
    """Requests are nowhere but in the windows that went by: rows that could not be appended cannot be written anew."""
    raise OSError(errno.EIO, "some rows were lost on the way to the disk")


def _ms(value_us: int) -> str:
    return "" if value_us < 0 else f"{value_us / 1000:.3f}"
