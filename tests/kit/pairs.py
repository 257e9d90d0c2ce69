"""Runs in virtual time whose endpoints a test chooses, to hold against each other."""

from __future__ import annotations

from loadtest.core.request.spec import LatencyThreshold, Stairs, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.sim import simulate

__all__ = ["stairs_run"]


def stairs_run(
    seed: int = 1,
    *,
    service_ms: float = 40.0,
    steps: int = 3,
    length_s: int = 45,
    limit_ms: int | None = None,
    error_budget: float | None = None,
    more: str = "",
) -> RunResult:
    """Stairs of two users on four servers. more: of the mock's settings, with a comma before it."""
    latency = None if limit_ms is None else LatencyThreshold(0.95, limit_ms)
    stop = StopConditions(flat_stops=False, latency=latency, max_error_ratio=error_budget)
    target = f"mock:servers=4,service_ms={service_ms},law=lognormal,sigma=0.3,seed={seed}{more}"
    return simulate(Plan(curve_of(Stairs(2, steps, length_s)), stop, TargetRef(target)))
