"""The bounds of `RunOptions`, as one table for scenario files and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import shown
from loadtest.core.request.spec import LatencyClock, SpawnReading, StairsReading
from loadtest.errors import Problem

__all__ = ["OPTION_BOUNDS", "check_option"]

OPTION_BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        "spawn": Bound(choices=get_args(SpawnReading)),
        "stairs_duration": Bound(choices=get_args(StairsReading)),
        "latency_clock": Bound(choices=get_args(LatencyClock)),
        "window_s": Bound("number", 0.05, 60),
        "drain_s": Bound("number", 0, 3600),
        "rate_window_s": Bound("number", 0.1, 3600),
        "max_error_ratio": Bound("number", 0, 1, optional=True),
        "seed": Bound("whole", 0, 2**63 - 1),
        "log_requests": Bound("number", 0, 1),
    }
)


def check_option(name: str, value: object, path: str) -> Problem | None:
    """What is wrong with `value` for the field `name` of RunOptions; None: nothing. path: for the problem."""
    fault = OPTION_BOUNDS[name].fault(value)
    return None if fault is None else Problem(path, shown(value), *fault)
