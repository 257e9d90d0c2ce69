"""One latency that CloudWatch publishes, of one period: what its statistics say of a limit.

A percentile of a period is a bound of a count, no more: "P95 is at most T" says that at most 5 % of its requests are
over T. TC(:T), CloudWatch's trimmed count, is the count itself; a Maximum below T says that none is. No clock, no I/O.
Sources: CloudWatch's "Statistics definitions" (a trimmed count's upper end is inclusive); decisions S3 (ranks).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Point", "Spread", "counted_name", "spread_of"]

COUNTED = re.compile(r"TC\(:(\d+(?:\.\d+)?)\)")
Point = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """A latency that the service publishes, ms, of one period, all variants together.

    n: samples; 0: there is no point. percentiles: by share; {}: none is known, or several variants were hit, whose
    percentiles do not add up. over: (at least, at most) so many of n are over the limit that was asked for; None: no
    limit. The two differ where only percentiles and extremes tell.
    """

    n: int = 0
    mean_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    percentiles: Mapping[float, float] = field(default_factory=dict)
    over: tuple[int, int] | None = None


def counted_name(limit_ms: float) -> str:
    """The statistic that counts values of at most `limit_ms`, of a metric in microseconds: TC(:300000)."""
    return f"TC(:{round(1000 * limit_ms)})"


def spread_of(points: Sequence[Point], limit_ms: float | None) -> Spread:
    """points: of each variant, in microseconds. limit_ms: None: nothing is counted."""
    hit = [point for point in points if point.get("SampleCount") and "Average" in point]
    n = sum(round(point["SampleCount"]) for point in hit)
    if not n:
        return Spread()
    bounds = None
    if limit_ms is not None:
        each = [_over(point, 1000 * limit_ms) for point in hit]
        bounds = sum(low for low, _ in each), sum(high for _, high in each)
    return Spread(
        n,
        mean_ms=math.fsum(point["Average"] * point["SampleCount"] for point in hit) / n / 1000,
        min_ms=_extreme(min, hit, "Minimum"),
        max_ms=_extreme(max, hit, "Maximum"),
        percentiles={share: us / 1000 for share, us in _percentiles(hit[0])} if len(hit) == 1 else {},
        over=bounds,
    )


def _extreme(choose: Any, points: Sequence[Point], name: str) -> float | None:
    if not all(name in point for point in points):
        return None
    return float(choose(point[name] for point in points)) / 1000


def _percentiles(point: Point) -> Iterator[tuple[float, float]]:
    for name, value in point.items():
        if name[0] == "p" and name[1:].replace(".", "").isdigit():
            yield round(float(name[1:]) / 100, 9), float(value)


def _over(point: Point, limit_us: float) -> tuple[int, int]:
    """(at least, at most) so many values of one point are over a limit, by all that it tells."""
    n = round(point["SampleCount"])
    low, high = 0, n
    if "Maximum" in point:
        low, high = (max(low, 1), high) if point["Maximum"] > limit_us else (0, 0)
    if "Minimum" in point and high:
        low, high = (n, n) if point["Minimum"] > limit_us else (low, min(high, n - 1))
    for share, us in _percentiles(point):
        # The value at rank ceil(share x n): so many, itself among them, are not above it.
        rank = max(1, math.ceil(share * n - 1e-9))
        low, high = (low, min(high, n - rank)) if us <= limit_us else (max(low, n - rank + 1), high)
    for name, value in point.items():
        counted = COUNTED.fullmatch(name)
        if counted is not None and math.isclose(float(counted[1]), limit_us):
            low, high = max(low, n - math.ceil(value)), min(high, n - math.floor(value))
    # What contradicts itself (each statistic is an estimate of its own) tells no more than the wider of the two.
    return min(low, high), max(low, high)
