"""A line on a terminal for what takes a while, with how long it has been; it leaves no trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from loadtest.report.words import clock

__all__ = ["busy"]

PATIENCE_S = 0.7  # what is over by then needs no line
DRAW_EVERY_S = 1.0
LEAVE_S = 2.0  # that the end waits for a terminal that takes nothing


@contextmanager
def busy(console: Console, text: str, *, plain: bool = False) -> Iterator[Callable[[str], None]]:
    """Inside, `text` is shown with a clock if it takes longer than a moment; what is given changes the text.

    plain: show nothing, as where there is no terminal. What is printed on `console` meanwhile stands above the line.
    """
    shown = [text]
    if plain or not console.is_terminal or console.is_dumb_terminal:
        yield lambda other: None
        return
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(console, shown, over), name="loadtest-busy", daemon=True)
    thread.start()
    try:
        yield lambda other: shown.__setitem__(0, other)
    finally:
        over.set()
        thread.join(LEAVE_S)


def _draw(console: Console, shown: list[str], over: threading.Event) -> None:
    since_s = time.monotonic()
    if over.wait(PATIENCE_S):
        return
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        while not over.is_set():
            line = Text(f"{shown[0]}  {clock(time.monotonic() - since_s)}", style="dim", no_wrap=True, overflow="crop")
            live.update(line, refresh=True)
            over.wait(DRAW_EVERY_S)
