"""The page of a search: its answer, and the interval behind the charts against users."""

from __future__ import annotations

from dataclasses import replace

import loadtest
from loadtest.report.html.capacity_band import capacity_band
from loadtest.report.html.page import page_of


def test_the_interval_is_a_band_behind_the_charts() -> None:
    result = loadtest.capacity("mock:servers=4,service_ms=20", thresholds=["p95<60ms"], virtual=True)
    (band,) = capacity_band(result)
    assert band["data"]["values"] == [{"from": 11.5, "to": 12.5, "capacity": "12 .. 12 users, nominal 95 %"}]
    (section,) = page_of([result]).sections
    assert section.answer == "found"
    drawn = {chart.name: str(chart.spec) for chart in section.charts}
    assert all("12 .. 12 users, nominal 95 %" in drawn[name] for name in ("scaling", "latency-users"))
    assert result.capacity is not None
    assert capacity_band(replace(result, capacity=replace(result.capacity, high=None))) == []
    assert capacity_band(replace(result, capacity=None)) == []
