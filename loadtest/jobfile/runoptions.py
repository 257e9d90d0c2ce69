"""The bounds of `RunOptions`, as one table for scenario files and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from loadtest.core.request.findings import nearest, shown
from loadtest.core.request.spec import LatencyClock, SpawnReading, StairsReading
from loadtest.errors import Problem

__all__ = ["OPTION_BOUNDS", "OptionBound", "check_option"]


@dataclass(frozen=True, slots=True)
class OptionBound:
    """choices: the valid texts, for an option of text; else a number in low..high.

    is_real: fractions are allowed. optional: null is allowed.
    """

    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    is_real: bool = False
    optional: bool = False


OPTION_BOUNDS: Mapping[str, OptionBound] = MappingProxyType(
    {
        "spawn": OptionBound(choices=get_args(SpawnReading)),
        "stairs_duration": OptionBound(choices=get_args(StairsReading)),
        "latency_clock": OptionBound(choices=get_args(LatencyClock)),
        "window_s": OptionBound(low=0.05, high=60, is_real=True),
        "drain_s": OptionBound(low=0, high=3600, is_real=True),
        "rate_window_s": OptionBound(low=0.1, high=3600, is_real=True),
        "max_error_ratio": OptionBound(low=0, high=1, is_real=True, optional=True),
        "seed": OptionBound(low=0, high=2**63 - 1),
        "log_requests": OptionBound(low=0, high=1, is_real=True),
    }
)


def check_option(name: str, value: object, path: str) -> Problem | None:
    """What is wrong with `value` for the field `name` of RunOptions; None: nothing. path: for the problem."""
    bound = OPTION_BOUNDS[name]
    if bound.choices:
        if value in bound.choices:
            return None
        return Problem(path, shown(value), "is not a valid value", nearest(value, bound.choices))
    if value is None and bound.optional:
        return None
    kinds = (int, float) if bound.is_real else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds) or (isinstance(value, float) and math.isnan(value)):
        return Problem(path, shown(value), "must be a number" if bound.is_real else "must be an integer")
    if not bound.low <= value <= bound.high:
        return Problem(path, shown(value), f"must be in {bound.low}..{bound.high}")
    return None
