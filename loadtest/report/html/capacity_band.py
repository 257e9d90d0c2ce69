"""The interval of a capacity as a band behind the charts against users, or against rate. No I/O."""

from __future__ import annotations

from loadtest.core.result.result import RunResult
from loadtest.report.capacity_words import interval_words_of, unit_of
from loadtest.report.html.chart import Spec, x_axis
from loadtest.report.html.palette import color

__all__ = ["capacity_band"]

HALF = 0.5  # of a user on each side: one whole number is an interval, too


def capacity_band(result: RunResult) -> list[Spec]:
    """[] where one end of the interval is not known."""
    found = result.capacity
    if found is None or found.low is None or found.high is None:
        return []
    beside = HALF if found.by == "users" else 0.0
    words = interval_words_of(found, unit_of(found.by))
    x = x_axis("from", "users" if found.by == "users" else "requests due a second")
    band = {"from": found.low - beside, "to": found.high + beside, "capacity": words}
    return [
        {
            "data": {"values": [band]},
            "mark": {"type": "rect", "color": color(2), "opacity": 0.25, "clip": True},
            "encoding": {
                "x": x,
                "x2": {"field": "to"},
                "tooltip": [{"field": "capacity"}],
            },
        }
    ]
