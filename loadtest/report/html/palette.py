"""Colours that people tell apart, also those who see fewer: Okabe and Ito's eight (2008), and a dash for each.

On a page a colour is a CSS variable, so that light, dark and paper need no second drawing; a picture takes `PRINT`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["DASHES", "PRINT", "color", "printed"]

DASHES: Sequence[Sequence[int]] = ([], [7, 3], [2, 2], [9, 3, 2, 3], [5, 5], [1, 3], [12, 4])
PRINT: Mapping[str, str] = {
    "c0": "#0072b2",
    "c1": "#d55e00",
    "c2": "#007a5a",
    "c3": "#a8427f",
    "c4": "#b37a00",
    "c5": "#2b8cbe",
    "c6": "#444444",
    "ink": "#1c2430",
    "axis": "#5b6675",
    "grid": "#e3e7ec",
    "good": "#00694e",
    "bad": "#c22b10",
    "warn": "#8a5a00",
    "shade": "#f6e3d3",
    "paper": "#ffffff",
}


def color(tone: int | str) -> str:
    """The colour of a series by its number, or one by its name, as CSS has it."""
    return f"var(--{tone if isinstance(tone, str) else f'c{tone % 7}'})"


def printed(spec: Any) -> Any:
    """`spec` with every colour as it is on paper."""
    return json.loads(re.sub(r"var\(--(\w+)\)", lambda match: PRINT[match[1]], json.dumps(spec)))
