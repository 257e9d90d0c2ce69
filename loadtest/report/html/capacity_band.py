"""The interval of a capacity as a band behind the charts against users. No I/O."""

from __future__ import annotations

from loadtest.core.result.result import RunResult
from loadtest.report.capacity_words import interval_words_of
from loadtest.report.html.chart import Spec, x_axis
from loadtest.report.html.palette import color

__all__ = ["capacity_band"]

HALF = 0.5  # of a user on each side: one whole number is an interval, too


def capacity_band(result: RunResult) -> list[Spec]:
    """[] where there was no search by users, or one end of the interval is not known."""
    found = result.capacity
    if found is None or found.by != "users" or found.low is None or found.high is None:
        return []
    band = {"from": found.low - HALF, "to": found.high + HALF, "capacity": interval_words_of(found, "users")}
    return [
        {
            "data": {"values": [band]},
            "mark": {"type": "rect", "color": color(2), "opacity": 0.25, "clip": True},
            "encoding": {"x": x_axis("from", "users"), "x2": {"field": "to"}, "tooltip": [{"field": "capacity"}]},
        }
    ]
