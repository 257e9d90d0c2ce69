"""A run as it goes: a screen on a terminal, a plain line every five seconds elsewhere, or nothing.

Windows come on one thread, and another draws, at most four times a second: a terminal that takes nothing any more, or
is gone, delays nothing of the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report.glyphs import glyphs_of
from loadtest.report.screen import Moment, screen_lines
from loadtest.report.sofar import RunSoFar
from loadtest.report.words import clock, evidence_words, milliseconds, number, percent, plural

__all__ = ["LiveView"]

PLAIN_EVERY_S = 5.0
DRAW_EVERY_S = 1.0  # if nothing happens: the clock of what is going on, and a terminal that has another size now
DRAW_LEAST_S = 0.25  # between two drawings
LEAVE_S = 2.0  # that the end waits for a terminal that takes nothing


class LiveView:
    """Shows windows as they come; a context manager, and callable as an engine's `on_window`.

    console: where to; None: stderr, so that stdout stays free for the result. quiet: show nothing. plain: lines, also
    on a terminal. title: of the run. elsewhere: its load generators are started by others. status: what the engine
    does (its `Status`), asked when the screen is drawn.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        console: Console | None = None,
        quiet: bool = False,
        plain: bool = False,
        title: str = "",
        elsewhere: bool = False,
        status: Callable[[], str] = lambda: "",
    ) -> None:
        self._plan = plan
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._is_screen = not quiet and not plain and self._console.is_terminal and not self._console.is_dumb_terminal
        self._run = RunSoFar(plan)
        self._errors = 0
        self._title = title or plan.target.ref
        self._starting = f"{'waiting for' if elsewhere else 'starting'} {plural(plan.workers, 'load generator')}"
        self.status = status
        self._phase = ""
        self._phase_since_s = time.monotonic()
        self._messages: list[str] = []
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="loadtest-screen", daemon=True)
        self._next_s = PLAIN_EVERY_S

    def __enter__(self) -> LiveView:
        if self._is_screen:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._thread.is_alive():
            return
        self._over.set()
        self._changed.set()
        # It has the terminal to give back. If that takes nothing now, it is given back when it does.
        self._thread.join(LEAVE_S)

    def __call__(self, window: Window, progress: Mapping[str, Any] | None = None) -> None:
        """Show a window. progress: how near each stop condition is, 0 to 1 by name; None: not told."""
        self._errors += window.failed
        if self._quiet:
            return
        if self._is_screen:
            with self._lock:
                self._run.observe(window, progress)
            self._changed.set()
        elif window.end_s >= self._next_s - 1e-6:
            self._next_s = (window.end_s // PLAIN_EVERY_S + 1) * PLAIN_EVERY_S
            near = ", ".join(_near(progress))
            self.say("  ".join([self._line(window), *([f"[{near}]"] if near else [])]))

    def say(self, text: str) -> None:
        """Tell something in a line of its own; nothing if quiet. A screen shows it, and it stays when that is gone."""
        if self._is_screen:
            # No lock: signal handlers call this.
            self._messages.append(text)
            self._changed.set()
        elif not self._quiet:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        """The drawing thread: from the first picture to giving the terminal back."""
        console, glyphs = self._console, glyphs_of(self._console.encoding)
        live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        live.start()
        try:
            while not self._over.is_set():
                width, height = console.size
                with self._lock:
                    lines = screen_lines(self._run, self._moment(), width, height, glyphs)
                live.update(Group(*lines), refresh=True)
                self._over.wait(DRAW_LEAST_S)
                self._changed.wait(DRAW_EVERY_S)
                self._changed.clear()
        except Exception as problem:  # said below: a picture costs nobody the run, nor the rest of its news
            self._messages.append(f"no picture ({type(problem).__name__}: {problem}); lines follow")
            self._is_screen = False
        finally:
            live.stop()
        for message in self._messages:
            console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _moment(self) -> Moment:
        phase = self._phase_now()
        if phase != self._phase:
            self._phase, self._phase_since_s = phase, time.monotonic()
        return Moment(self._title, phase, time.monotonic() - self._phase_since_s, tuple(self._messages))

    def _phase_now(self) -> str:
        last, status = self._run.last, self.status()
        if status == "finished":
            return "making the result"
        if last is not None and (status == "draining" or not last.users):
            left = plural(last.load.running, "request")
            return f"draining: {left} in flight, {number(self._plan.options.drain_s)} s at most"
        if last is not None or status == "running":
            return ""
        return self._starting

    def _line(self, window: Window) -> str:
        """Elapsed and planned time, users, and the window's rate and latencies; errors since the start."""
        rate = window.ok / window.length_s if window.length_s > 0 else 0.0
        p50_ms, p95_ms = window.latencies.client.p50_ms, window.latencies.client.p95_ms
        if not window.users:
            users = f"draining {window.load.running}"
        elif self._plan.arrivals is None:
            users = plural(window.users, "user")
        else:
            due = (
                self._plan.arrivals.rate_per_s if self._plan.search is None else window.sends.intended / window.length_s
            )
            users = f"{number(round(due, 1))}/s open"
            p50_ms, p95_ms = window.latencies.response.p50_ms, window.latencies.response.p95_ms
        return (
            f"{clock(window.end_s)}/{clock(self._plan.end_s)}  {users}  {number(rate)} req/s  "
            f"p50 {milliseconds(p50_ms)}  p95 {milliseconds(p95_ms)} ms  {plural(self._errors, 'error')}"
        )


def _near(progress: Mapping[str, Any] | None) -> list[str]:
    """Each stop condition and how near it is; the time is shown as a clock already."""
    phrases = []
    for name, value in (progress or {}).items():
        if name == "time":
            continue
        if name == "latency" and isinstance(value, Mapping):
            phrases.append(f"latency {value.get('verdict', 'undecided')}")
        elif name == "flat" and isinstance(value, Mapping):
            phrases.extend(["flat withheld: the generator is the limit"] if value.get("withheld") else [])
        elif isinstance(value, float) and 0 <= value <= 1:
            phrases.append(f"{name.replace('_', ' ').lower()} {percent(round(value, 2))}")
        else:
            phrases.extend(evidence_words({name: value}))
    return phrases
