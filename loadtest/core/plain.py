"""Between our values and JSON's. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

__all__ = ["known", "plain", "summed"]


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


_Value = TypeVar("_Value")


def summed(cls: type[_Value], parts: Iterable[_Value]) -> _Value:
    """A value of a dataclass whose every field is the sum of the parts'."""
    every = list(parts)
    return cls(**{field.name: sum(getattr(part, field.name) for part in every) for field in fields(cls)})  # type: ignore[arg-type]
