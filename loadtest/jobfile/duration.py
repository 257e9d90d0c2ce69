"""Durations as people write them: `90s`, `500ms`, `1h30m`."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["seconds_of"]

_UNITS_S = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|m|s)", re.ASCII)


def seconds_of(text: str) -> Decimal | None:
    """The seconds that a text with units stands for, exactly; None if it is none, or has no unit."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum((Decimal(number) * _UNITS_S[unit] for number, unit in parts), Decimal(0))
