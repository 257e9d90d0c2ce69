"""Between our values and JSON's. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

__all__ = ["known", "plain"]


def plain(value: Any) -> Any:
    """`value` in JSON's own types, so that what is kept equals what is read back; NaN and infinities become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return str(value)


def known(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that are fields of the dataclass `cls`: members of a newer writer are dropped."""
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}
