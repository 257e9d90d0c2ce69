"""Shares on the command line: `5%`, or the same as 0.05."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["PART", "PART_OR_ALL", "PART_OR_NONE"]


class _Share(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5 only
    name = "percent"

    def __init__(self, *, none: bool = False, whole: bool = False) -> None:
        self._none, self._whole = none, whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """0..1. Fails with a usage error for anything else, and for an end that is not allowed."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", str(value).strip())
        share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
        if not (0 < share < 1 or (self._none and share == 0) or (self._whole and share == 1)):
            most = "up to" if self._whole else "below"
            least = "" if self._none else " above 0 and"
            self.fail(f"{value!r} is not a share{least} {most} 100 %, such as 5% or 0.05", param, ctx)
        return share


PART = _Share()
PART_OR_NONE = _Share(none=True)
PART_OR_ALL = _Share(none=True, whole=True)
