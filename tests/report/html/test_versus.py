"""What the page of a comparison says, without a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pairs import stairs_run

from loadtest.core.compare.comparison import compare
from loadtest.core.compare.doubts import doubts_of
from loadtest.core.compare.profile import profiles_of
from loadtest.core.plain import plain
from loadtest.core.result.result import RunResult
from loadtest.report.comparison import Compared, comparison_json
from loadtest.report.html.page import Page
from loadtest.report.html.pictures import write_pictures
from loadtest.report.html.render import render, write_page
from loadtest.report.html.versus import versus_page

HOSTILE = "</script><img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def runs() -> dict[str, RunResult]:
    made = {"a1": stairs_run(1), "a2": stairs_run(2), "a3": stairs_run(3), "b1": stairs_run(4, service_ms=46.0)}
    return {**made, "short": stairs_run(5, limit_ms=60), HOSTILE: stairs_run(6)}


def _compared(runs: Mapping[str, RunResult], a: str, b: str) -> Compared:
    sides = [tuple(side.split(",")) for side in (a, b)]
    results = [[runs[name] for name in side] for side in sides]
    return Compared(sides[0], sides[1], compare(results[0], results[1]), doubts_of(results[0], results[1]))


def _at(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values[int(name)] if isinstance(values, list) else values[name]
    return values


def _cells(page: Page) -> list[Any]:
    parts = [part for section in page.sections for part in section.parts] + ([page.job] if page.job else [])
    tables = [table for part in parts for _, table in part.tables] + [c.table for part in parts for c in part.charts]
    tiles = [cell for section in page.sections for _, cell, _ in section.tiles]
    return tiles + [cell for table in tables for row in table.rows for cell in row]


def test_the_page_has_its_parts_and_every_figure_is_the_comparisons(runs: Mapping[str, RunResult]) -> None:
    compared = [_compared(runs, "a1", "b1"), _compared(runs, "a1", "a2")]
    page = versus_page(compared, runs)
    one, other = page.sections
    assert (one.answer, one.tone) == ("worse", "bad")
    assert one.head[0].text.startswith("WORSE  ")
    assert [part.name for part in one.parts] == ["changes", "users", "time", "spread", "runs", "conditions"]
    names = [chart.name for chart in one.charts]
    shown = ["changes", "level-changes", "throughput-users", "latency-users", "median-users", "throughput", "latency"]
    assert names == [*shown, "distribution"]
    for chart in one.charts:
        assert chart.text, chart.name
        assert chart.table.rows, chart.name
        assert all(len(row) == len(chart.table.head) for row in chart.table.rows), chart.name
    found = json.loads(json.dumps(comparison_json(compared)))
    figures = [cell for cell in _cells(page) if cell.figure]
    assert len(figures) > 50
    for cell in figures:
        assert plain(cell.value) == _at(found, cell.figure), cell.figure
    assert page.job is not None
    assert [row[1].text for row in page.job.tables[0][1].rows] == ["worse", other.answer]


def test_the_charts_show_what_the_rows_say(runs: Mapping[str, RunResult]) -> None:
    compared = _compared(runs, "a1", "b1")
    charts = {chart.name: chart for chart in versus_page([compared], runs).sections[0].charts}
    whole = charts["changes"].data["whole"]
    rows = [
        row
        for row in compared.comparison.rows
        if row.level is None and row.unit != "share" and row.difference is not None
    ]
    assert whole["change"] == [round(100 * (row.difference or 0), 4) for row in rows]
    assert [(low is None, high is None) for low, high in zip(whole["low"], whole["high"], strict=True)] == [
        (row.low is None, row.high is None) for row in rows
    ]
    assert set(charts["level-changes"].data["changes"]["users"]) == {"2", "4", "6"}
    over = charts["throughput"].data["throughput"]
    assert set(over) == {"t", "at", "baseline", "candidate"}
    assert len(over["t"]) == len(runs["a1"].windows)


def test_each_side_has_its_own_intervals(runs: Mapping[str, RunResult]) -> None:
    profiles = profiles_of([runs["a1"], runs["a2"]], [runs["b1"]])
    for side in profiles:
        assert [level.level.users for level in side.levels] == [2, 4, 6]
        for level in side.levels:
            assert set(level.figures) == {"throughput", "p50", "p95", "p99"}
            for figure in level.figures.values():
                assert figure.low is None or figure.low <= figure.value
                assert figure.high is None or figure.value <= figure.high
    levels = {row.level: row for row in compare([runs["a1"]], [runs["b1"]]).rows if row.metric == "p95"}
    drawn = profiles_of([runs["a1"]], [runs["b1"]])[0].levels[1].figures["p95"].value
    assert drawn == pytest.approx(levels[1].a, rel=1e-9)
    counted = sum(w.ok for r in (runs["a1"], runs["a2"]) for w in r.windows if w.level is not None)
    assert 0 < profiles[0].latency.total <= counted


def test_repeats_are_drawn_run_by_run(runs: Mapping[str, RunResult]) -> None:
    section = versus_page([_compared(runs, "a1,a2,a3", "b1")], runs).sections[0]
    charts = {chart.name: chart for chart in section.charts}
    assert [s.name for s in charts["latency"].series] == ["baseline 1", "baseline 2", "baseline 3", "candidate"]
    assert len(charts["repeats"].data["repeats"]["order"]) == 4
    table = next(part for part in section.parts if part.name == "runs").tables[0][1]
    assert [(row[0].text, row[1].text) for row in table.rows] == [
        *(("baseline", name) for name in ("a1", "a2", "a3")),
        ("candidate", "b1"),
    ]


def test_many_repeats_are_drawn_in_part_and_all_are_in_the_table(runs: Mapping[str, RunResult]) -> None:
    names = [f"r{number}" for number in range(12)]
    many = {**runs, **dict.fromkeys(names, runs["a1"])}
    section = versus_page([Compared((*names,), ("b1",), compare([runs["a1"]], [runs["b1"]]))], many).sections[0]
    time = next(part for part in section.parts if part.name == "time")
    assert "5 runs of a side are drawn" in time.lead
    assert len(time.charts[0].series) == 6
    runs_part = next(part for part in section.parts if part.name == "runs")
    assert len(runs_part.tables[0][1].rows) == 13


def test_what_differs_comes_first_and_doubts_are_said(runs: Mapping[str, RunResult]) -> None:
    there = {**runs, "b1": replace(runs["b1"], environment={"python": "3.12", "target_url": "http://me:word@b/"})}
    section = versus_page([_compared(there, "a1", "b1")], there).sections[0]
    rows = next(part for part in section.parts if part.name == "conditions").tables[0][1].rows
    differing = [row[3].text for row in rows]
    assert differing == sorted(differing, reverse=True)
    assert differing[0] == "differs"
    assert any("one run a side" in sentence.text for sentence in section.rest)
    assert "me:word" not in render(versus_page([_compared(there, "a1", "b1")], there))[0]


def test_runs_that_share_no_level_have_a_page(runs: Mapping[str, RunResult]) -> None:
    section = versus_page([_compared(runs, "a1", "short")], runs).sections[0]
    assert section.answer in ("worse", "undecided")
    assert section.parts[0].name == "changes"


def test_hostile_names_are_text_and_the_page_is_small(
    runs: Mapping[str, RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = versus_page([_compared(runs, "a1", HOSTILE)], runs)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert "pip install" in write_page(tmp_path / "compare.html", page)
    html = (tmp_path / "compare.html").read_text()
    assert "<img" not in html
    assert "&lt;img src=x" in html
    assert "default-src &#39;none&#39;" in html
    assert len(html) < 200_000


@pytest.mark.slow
@pytest.mark.live
def test_every_chart_is_a_picture(runs: Mapping[str, RunResult], tmp_path: Path) -> None:
    page = versus_page([_compared(runs, "a1,a2", "b1")], runs)
    written = write_pictures(tmp_path, page)
    assert [path.stem for path in written] == [chart.name for chart in page.sections[0].charts]
    assert all(path.stat().st_size > 5000 for path in written)
