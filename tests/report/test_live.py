"""The live view: one line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from windows import changed

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report.live import LiveView

PROGRESS = {"max_invocations": 0.4, "latency": 0.03}


def lines(plan: Plan, windows: list[Window], progress: dict[str, Any] | None, quiet: bool = False) -> list[str]:
    out = io.StringIO()
    with LiveView(plan, console=Console(file=out, width=80), quiet=quiet) as view:
        for window in windows:
            view(window, progress)
    return out.getvalue().splitlines()


def test_elsewhere_a_plain_line_every_five_seconds(plan: Plan, windows: list[Window]) -> None:
    shown = lines(plan, windows[:17], PROGRESS)
    assert shown == [
        "0:05/2:00  2 users  40 req/s  p50 22.0  p95 24.0 ms  1 error  [max invocations 40.0 %, latency 3.0 %]",
        "0:10/2:00  2 users  40 req/s  p50 22.0  p95 24.0 ms  1 error  [max invocations 40.0 %, latency 3.0 %]",
        "0:15/2:00  2 users  40 req/s  p50 22.0  p95 24.0 ms  2 errors  [max invocations 40.0 %, latency 3.0 %]",
    ]


def test_long_windows_show_one_line_each(plan: Plan, windows: list[Window]) -> None:
    long = [changed(windows[0], start_s=12.0 * i, end_s=12.0 * (i + 1)) for i in range(3)]
    assert [line.split("/")[0] for line in lines(plan, long, None)] == ["0:12", "0:24", "0:36"]


def test_windows_of_a_tenth_add_up(plan: Plan, windows: list[Window]) -> None:
    short = [changed(windows[0], start_s=i * 0.1, end_s=(i + 1) * 0.1) for i in range(100)]
    assert [line.split("/")[0] for line in lines(plan, short, None)] == ["0:05", "0:10"]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, None),
        ({}, None),
        ({"FLAT": 1.0, "time": 0.5}, "[flat 100 %]"),
        ({"rate_per_min": 1200}, "[rate 1,200/min]"),
        ({"backlog": {"share": 0.25, "n": 40}}, "[backlog share 25.0 %, backlog n 40]"),
        ({"latency": {"verdict": "met", "requests": 900}}, "[latency met]"),
        ({"flat": {"levels": 3, "withheld": False}}, None),
        ({"flat": {"levels": 3, "withheld": True}}, "[flat withheld: the generator is the limit]"),
        ({"flat": "not rising", "errors": None}, "[flat not rising]"),
    ],
)
def test_whatever_progress_is_told(
    plan: Plan, windows: list[Window], progress: dict[str, Any] | None, expected: str | None
) -> None:
    (line,) = lines(plan, windows[4:5], progress)
    assert line.endswith(expected) if expected else line.endswith("errors")


def test_draining_is_called_so(plan: Plan, windows: list[Window]) -> None:
    (line,) = lines(plan, [changed(windows[-1], running=3)], None)
    assert line == "2:01/2:00  draining 3  0 req/s  p50 -  p95 - ms  1 error"


def test_quiet_shows_nothing(plan: Plan, windows: list[Window]) -> None:
    assert lines(plan, windows, PROGRESS, quiet=True) == []


def test_on_a_terminal_one_live_line_that_leaves_no_trace(plan: Plan, windows: list[Window]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None, _environ={})
    with LiveView(plan, console=console) as view:
        view(windows[0], PROGRESS)
        view.say("[note] above it")
        view(windows[1], PROGRESS)
    text = out.getvalue()
    assert "0:01/2:00  2 users  40 req/s" in text
    assert "0:02/2:00  2 users  40 req/s" in text
    assert "stop conditions: max invocations 40.0 %, latency 3.0 %" in text
    assert "[note] above it" in text
    assert text.rstrip().endswith("\x1b[2K"), "the line is erased at the end"
    assert "\x1b[?25h" in text, "and the cursor is back"


def test_a_narrow_terminal_cuts_the_line_and_does_not_wrap_it(plan: Plan, windows: list[Window]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=40, force_terminal=True, color_system=None, _environ={})
    with LiveView(plan, console=console) as view:
        view(windows[0], PROGRESS)
    assert "p95 24.0 ms" not in out.getvalue()
