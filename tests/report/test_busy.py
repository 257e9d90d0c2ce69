"""What takes long says so, on a terminal."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from loadtest.report import busy as module
from loadtest.report.busy import busy


def console(**how: Any) -> Console:
    environ = {"TERM": how.pop("term", "xterm")}
    return Console(file=io.StringIO(), width=80, color_system=None, _environ=environ, **{"force_terminal": True, **how})


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_a_line_with_a_clock_that_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(module, "DRAW_EVERY_S", 0.01)
    shown = console()
    with busy(shown, "reading") as doing:
        until(lambda: "reading  0:00" in text_of(shown))
        doing("[red] writing")
        until(lambda: "[red] writing  0:00" in text_of(shown))
        shown.print("a result")
    assert text_of(shown).endswith("\x1b[2K"), "the line is erased"


@pytest.mark.parametrize("how", [{"force_terminal": False}, {"term": "dumb"}])
def test_nothing_where_there_is_no_terminal(how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    shown = console(**how)
    with busy(shown, "reading") as doing:
        doing("writing")
    assert text_of(shown) == ""


def test_what_is_over_at_once_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 3600.0)
    shown = console()
    with pytest.raises(ZeroDivisionError), busy(shown, "reading"):
        raise ZeroDivisionError
    assert text_of(shown) == ""


def until(condition: Any) -> None:
    end_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)
