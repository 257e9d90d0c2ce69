"""The live view: a screen on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from windows import changed

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.report import live
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


class Terminal(io.StringIO):
    """What was written, and when something was."""

    def wait_for(self, text: str) -> str:
        end_s = time.monotonic() + 60
        while text not in self.getvalue():
            assert time.monotonic() < end_s, f"{text!r} did not come: {self.getvalue()!r}"
            time.sleep(0.01)
        return self.getvalue()


def terminal_console(out: io.StringIO, **how: Any) -> Console:
    environ = how.pop("environ", {"TERM": "xterm"})
    return Console(file=out, width=80, height=24, force_terminal=True, color_system=None, _environ=environ, **how)


def test_on_a_terminal_a_screen_that_leaves_only_what_was_said(plan: Plan, windows: list[Window]) -> None:
    out = Terminal()
    with LiveView(plan, console=terminal_console(out), title="bert", status=lambda: "running") as view:
        view(windows[0], PROGRESS)
        out.wait_for("0:01 of 2:00")
        view.say("[note] of the engine")
        view(windows[1], PROGRESS)
        out.wait_for("0:02 of 2:00")
        out.wait_for("[note] of the engine")
    screen, after = out.getvalue().split("\x1b[?1049l")
    assert screen.startswith("\x1b[?1049h"), "on a screen of its own"
    assert "\x1b[?25h" in screen, "and the cursor is back"
    assert after == "[note] of the engine\n"


@pytest.mark.parametrize(("how", "told"), [({"plain": True}, {}), ({}, {"environ": {"TERM": "dumb"}})])
def test_lines_on_a_terminal_if_it_can_do_no_more_or_somebody_wants_them(
    plan: Plan, windows: list[Window], how: dict[str, Any], told: dict[str, Any]
) -> None:
    out = io.StringIO()
    with LiveView(plan, console=terminal_console(out, **told), **how) as view:
        for window in windows[:6]:
            view(window, PROGRESS)
    assert out.getvalue().splitlines() == lines(plan, windows[:6], PROGRESS)
    assert out.getvalue()


@pytest.mark.parametrize(
    ("status", "window", "phase"),
    [
        ("starting", None, "starting 1 load generator"),
        ("running", None, "0:00 of 2:00"),
        ("draining", 10, "draining: 2 requests in flight, 60 s at most"),
        ("finished", 10, "making the result"),
    ],
)
def test_what_is_going_on(plan: Plan, windows: list[Window], status: str, window: int | None, phase: str) -> None:
    out = Terminal()
    with LiveView(plan, console=terminal_console(out), title="bert", status=lambda: status) as view:
        if window is not None:
            view(windows[window], PROGRESS)
        out.wait_for(phase)


def test_without_a_picture_lines_follow(plan: Plan, windows: list[Window], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "screen_lines", lambda *given: 1 / 0)
    out = Terminal()
    with LiveView(plan, console=terminal_console(out)) as view:
        out.wait_for("no picture (ZeroDivisionError: division by zero); lines follow\n")
        for window in windows[:6]:
            view(window, PROGRESS)
    assert out.getvalue().partition("lines follow\n")[2].splitlines() == lines(plan, windows[:6], PROGRESS)


def test_generators_that_others_start_are_waited_for(plan: Plan) -> None:
    out = Terminal()
    with LiveView(replace(plan, workers=4), console=terminal_console(out), elsewhere=True):
        out.wait_for("waiting for 4 load generators  0:00")


def test_a_terminal_that_takes_nothing_delays_no_window_and_the_end_only_for_a_moment(
    plan: Plan, windows: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LEAVE_S", 0.05)
    stuck, release = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            stuck.set()
            release.wait(60)
            return super().write(text)

    out = Stuck()
    with LiveView(plan, console=terminal_console(out), title="bert") as view:
        assert stuck.wait(60)
        for window in windows:
            view(window, PROGRESS)
        view.say("still here")
    release.set()
    for drawing in [each for each in threading.enumerate() if each.name == "loadtest-screen"]:
        drawing.join(60)
    assert out.getvalue().endswith("still here\n"), "it gives the terminal back when it can"
