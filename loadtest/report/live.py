"""A run as it goes: one live line on a terminal, a plain line every five seconds elsewhere, or nothing.

Called from one thread; draws only when a window arrives, so it costs the generator's machine next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report.words import clock, evidence_words, milliseconds, number, percent, plural

__all__ = ["LiveView"]

PLAIN_EVERY_S = 5.0


class LiveView:
    """Shows windows as they come; a context manager, and callable as an engine's `on_window`.

    console: where to; None: stderr, so that stdout stays free for the result. quiet: show nothing.
    """

    def __init__(self, plan: Plan, *, console: Console | None = None, quiet: bool = False) -> None:
        self._plan = plan
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._live: Live | None = None
        self._errors = 0
        self._next_s = PLAIN_EVERY_S

    def __enter__(self) -> LiveView:
        if not self._quiet and self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, window: Window, progress: Mapping[str, Any] | None = None) -> None:
        """Show a window. progress: how near each stop condition is, 0 to 1 by name; None: not told."""
        self._errors += window.failed
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(self._picture(window, progress), refresh=True)
        elif window.end_s >= self._next_s - 1e-6:
            self._next_s = (window.end_s // PLAIN_EVERY_S + 1) * PLAIN_EVERY_S
            near = ", ".join(_near(progress))
            self.say("  ".join([self._line(window).plain, *([f"[{near}]"] if near else [])]))

    def say(self, text: str) -> None:
        """Print a line of its own, above the live one; nothing if quiet."""
        if not self._quiet:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _picture(self, window: Window, progress: Mapping[str, Any] | None) -> Group:
        lines = [self._line(window)]
        if near := _near(progress):
            lines.append(Text(f"stop conditions: {', '.join(near)}", style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _line(self, window: Window) -> Text:
        """Elapsed and planned time, users, and the window's rate and latencies; errors since the start."""
        rate = window.ok / window.length_s if window.length_s > 0 else 0.0
        p50_ms, p95_ms = window.latencies.client.p50_ms, window.latencies.client.p95_ms
        if not window.users:
            users = f"draining {window.load.running}"
        elif self._plan.arrivals is None:
            users = plural(window.users, "user")
        else:
            users = f"{number(self._plan.arrivals.rate_per_s)}/s open"
            p50_ms, p95_ms = window.latencies.response.p50_ms, window.latencies.response.p95_ms
        return Text.assemble(
            f"{clock(window.end_s)}/{clock(self._plan.end_s)}  ",
            (users, "bold"),
            "  ",
            (f"{number(rate)} req/s", "bold cyan"),
            f"  p50 {milliseconds(p50_ms)}  p95 {milliseconds(p95_ms)} ms  ",
            (plural(self._errors, "error"), "bold red" if self._errors else ""),
            no_wrap=True,
            overflow="ellipsis",
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
