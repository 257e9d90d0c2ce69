"""Durations on the command line: `90s`, `500ms`, `1h30m`, or plain seconds."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["DURATION", "DURATION_OR_NONE"]

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds. Fails with a usage error for anything else, and for zero unless it is allowed."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip().lower()
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
        else:
            try:
                seconds = float(text)
            except ValueError:
                seconds = -1.0
        if not 0 <= seconds < float("inf") or (seconds == 0 and not self._zero):
            self.fail(f"{value!r} is not a duration; write 90s, 500ms, 1h30m or seconds", param, ctx)
        return seconds


DURATION = _Duration()
DURATION_OR_NONE = _Duration(zero=True)  # 0 is a duration here
