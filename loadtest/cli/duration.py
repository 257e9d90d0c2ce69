"""Durations on the command line: `90s`, `500ms`, `1h30m`, or plain seconds."""

from __future__ import annotations

from typing import Any

import click

from loadtest.jobfile.duration import seconds_of

__all__ = ["DURATION", "DURATION_OR_NONE"]


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds. Fails with a usage error for anything else, and for zero unless it is allowed."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip().lower()
        exact = seconds_of(text)
        try:
            seconds = float(text if exact is None else exact)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf") or (seconds == 0 and not self._zero):
            self.fail(f"{value!r} is not a duration; write 90s, 500ms, 1h30m or seconds", param, ctx)
        return seconds


DURATION = _Duration()
DURATION_OR_NONE = _Duration(zero=True)  # 0 is a duration here
