"""Reports of a search by rate: loads are rates everywhere, and latencies count from the time a request was due."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

import loadtest
from loadtest.core.result.result import RunResult
from loadtest.report.html.capacity_band import capacity_band
from loadtest.report.html.page import page_of
from loadtest.report.html.tables import levels_table
from loadtest.report.recovery import read_run
from loadtest.report.tables import levels_csv
from loadtest.report.terminal import summary
from loadtest.report.whole import whole_folder


@pytest.fixture(scope="module")
def result() -> RunResult:
    asked = {"thresholds": ["p95<60ms"], "by": "rate", "virtual": True, "budget_s": 40.0, "max_rate_per_s": 400.0}
    return loadtest.capacity("mock:servers=4,service_ms=20", **asked)  # type: ignore[arg-type]


def loads(result: RunResult) -> list[float]:
    return [1.0, *(load for _, load in result.plan.moves)]


def test_a_level_has_the_rate_that_was_due(result: RunResult, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(levels_csv(result.levels))))
    assert [float(row["rate_per_s"]) for row in rows] == loads(result)[: len(rows)]
    assert read_run(whole_folder(tmp_path, result, 1_760_000_000.0).path) == result


def test_a_page_draws_against_rate_and_the_loads_over_time(result: RunResult) -> None:
    (section,) = page_of([result]).sections
    charts = {chart.name: chart for chart in section.charts}
    assert section.parts[0].title == "Throughput and latency against rate"
    assert charts["scaling"].data["levels"]["rate"] == sorted(loads(result)[: len(result.levels)])
    assert "as the search chose them: 1 .. " in charts["due"].text
    due = charts["due"].data["time"]["due"]
    assert (due[0], max(due)) == (1.0, max(loads(result)))
    assert "1 .. " in charts["in-flight"].text
    text = dict(section.parts[-1].texts)["Run it again, from this run's folder"]
    assert text.startswith("loadtest capacity job.json --target mock:servers=4,service_ms=20")
    assert "--threshold 'p95<60ms' --by rate --within 5% --confidence 95% --budget 40s --max-rate 400/s" in text


def test_the_levels_table_and_the_terminal_speak_of_rates(result: RunResult) -> None:
    table = levels_table(result)
    assert table.head[2] == "due"
    assert (table.rows[3][2].text, table.rows[3][2].figure) == ("8/s", "levels.3.rate_per_s")
    assert table.rows[3][9].figure == "levels.3.response_p95_ms"
    out = io.StringIO()
    Console(file=out, width=100).print(summary(result))
    text = " ".join(out.getvalue().split())
    assert "Open workload, 1 .. " in text
    assert "due flight req/s errors ms ms ms" in text
    assert " 8/s " in text


def test_the_band_is_of_rates(result: RunResult) -> None:
    assert result.capacity is not None
    bands = capacity_band(result)
    if result.capacity.low is None or result.capacity.high is None:
        assert bands == []
        return
    values = bands[0]["data"]["values"][0]
    assert (values["from"], values["to"]) == (result.capacity.low, result.capacity.high)
    assert values["capacity"].endswith("requests/s, nominal 95 %")
