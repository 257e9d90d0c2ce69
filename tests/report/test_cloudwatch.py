"""What CloudWatch told of a run: in its folder, in summary.json, on the terminal and on the page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from places import ROOT
from rich.console import Console
from told import FIRST_AT, STARTED_AT, document, minutes, plan_of, run_of, series

import loadtest
from loadtest.core.result.model_clock import judged_by_model
from loadtest.core.result.periods import KEPT_AS
from loadtest.core.result.result import RunResult
from loadtest.report.folder import RunFolder
from loadtest.report.html.page import page_of
from loadtest.report.html.render import render
from loadtest.report.recovery import complete
from loadtest.report.terminal import summary
from loadtest.report.whole import whole_folder

LINE = {"at": STARTED_AT + 42.0, "stream": "v0/i-1", "message": "ERROR <b>out of memory</b>"}


@pytest.fixture
def result() -> RunResult:
    cpu = [{"at": FIRST_AT + 60 * i, "Average": 150.0, "Maximum": 390.0} for i in range(11)]
    log = {"group": "/aws/sagemaker/Endpoints/e", "lines": [LINE], "more": True, "problem": ""}
    more = [series("CPUUtilization", cpu), series("GPUUtilization", []), series("MemoryUtilization", [])]
    told = document(
        *minutes(11, lambda i: [80_000] * (1200 if i < 6 else 2400)), *more, log=log, waited_s=95.0, missing=[FIRST_AT]
    )
    return judged_by_model(run_of(plan_of(), lambda s: 120.0, told))


def shown(result: RunResult, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(summary(result))
    return console.export_text()


def test_a_folder_keeps_the_points_and_gives_them_back(result: RunResult, tmp_path: Path) -> None:
    folder = whole_folder(tmp_path, result, created_at=STARTED_AT).path
    assert json.loads((folder / KEPT_AS).read_text()) == result.cloudwatch
    again = loadtest.load(folder)
    assert again.cloudwatch == result.cloudwatch
    assert (again.overall, again.verdicts, again.best) == (result.overall, result.verdicts, result.best)


def test_the_summary_is_as_its_schema_says(result: RunResult, tmp_path: Path) -> None:
    told = json.loads((whole_folder(tmp_path, result, created_at=STARTED_AT).path / "summary.json").read_text())
    schema = json.loads((ROOT / "docs" / "schema" / "summary.v1.json").read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(told)] == []
    for name, rows in (("cloudwatch_level", "levels"), ("cloudwatch_period", "periods"), ("cloudwatch_usage", "usage")):
        assert set(told["cloudwatch"][rows][0]) == set(schema["$defs"][name]["properties"]), name
    assert told["cloudwatch"]["levels"][0]["network_ms"] == pytest.approx(35)
    assert told["overall"]["clock"] == "model"


def test_a_run_without_cloudwatch_has_no_file(tmp_path: Path) -> None:
    folder = whole_folder(tmp_path, run_of(plan_of(), lambda s: 40.0), created_at=STARTED_AT).path
    assert not (folder / KEPT_AS).exists()
    assert json.loads((folder / "summary.json").read_text())["cloudwatch"] is None


def test_a_killed_run_keeps_what_came(result: RunResult, tmp_path: Path) -> None:
    with RunFolder(tmp_path, result.plan, created_at=STARTED_AT) as folder:
        folder.start(STARTED_AT)
        for window in result.windows:
            folder.window(window)
        folder.keep(KEPT_AS, document(*minutes(3, 80_000)))
        folder.keep(KEPT_AS, result.cloudwatch)
    found, path, missing = complete(folder.path)
    assert not missing
    assert json.loads((path / KEPT_AS).read_text()) == result.cloudwatch
    assert [(each.answer, each.clock) for each in found.verdicts] == [("met", "model")] * 2


def test_the_terminal_has_both_clocks_side_by_side(result: RunResult) -> None:
    text = shown(result)
    assert "MET  P95 of latency at most 100 ms (model clock)" in text
    assert "P95, 95 %" in text
    (row,) = (line.split() for line in text.splitlines() if line.split()[:2] == ["2", "4"])
    assert row == ["2", "4", "80.0", "80.0", "5.0", "35.0", "120.0", "120.1", "1,200", "150"]
    assert "CloudWatch: 1 whole period of 60 s inside levels did not come within 1 min 35 s" in text
    assert "CloudWatch: absent, no point of it came: MemoryUtilization" in text
    assert "CloudWatch: absent: GPUUtilization (instances with GPUs)" in text
    assert "CloudWatch: log 42 s v0/i-1: ERROR <b>out of memory</b>" in text
    assert "there are more such lines in /aws/sagemaker/Endpoints/e" in text
    assert max(map(len, shown(result, 80).splitlines())) <= 80


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (document(), "no level holds a whole period of 60 s: levels of twice that always hold one"),
        (document(problems=["AWS does not permit x"]), "CloudWatch: AWS does not permit x"),
        (
            document(log={"lines": [], "problem": "AWS does not permit y"}),
            "CloudWatch: the endpoint's log was not read: AWS does not permit y",
        ),
    ],
)
def test_what_was_not_to_be_had_is_said(told: dict[str, Any], words: str) -> None:
    assert words in shown(run_of(plan_of(), lambda s: 40.0, told))


def test_the_page_has_it_on_the_time_axis_and_by_level(result: RunResult) -> None:
    (section,) = page_of([result]).sections
    (part,) = (each for each in section.parts if each.name == "service")
    charts = {chart.name: chart for chart in part.charts}
    assert list(charts) == ["service", "usage"]
    assert all(chart.timed for chart in part.charts)
    columns = charts["service"].data["service"]
    assert columns["t"][0] == 0, "the middle of a minute that began before the run"
    assert columns["network mean"][1] == pytest.approx(35)
    ((_, table),) = part.tables
    cells = dict(zip(table.head, (each.text for each in table.rows[0]), strict=True))
    assert (cells["model P95 ms"], cells["network mean ms"], cells["CPU %"]) == ("80.0", "35.0", "150")
    html = render(page_of([result]))[0]
    assert "ERROR &lt;b&gt;out of memory" in html
    assert "<b>out of memory" not in html


def test_a_page_without_cloudwatch_has_no_such_part() -> None:
    (section,) = page_of([run_of(plan_of(), lambda s: 40.0)]).sections
    assert "service" not in {part.name for part in section.parts}


def test_a_line_is_not_drawn_through_minutes_that_nobody_told() -> None:
    told = minutes(12, 30_000)
    busy = series("CPUUtilization", [{"at": FIRST_AT + 60 * i, "Average": 20.0} for i in range(12)])
    for each in (*told, busy):
        del each["points"][5:7]
    (section,) = page_of([run_of(plan_of(), lambda s: 60.0, document(*told, busy))]).sections
    found = {part.name: part for part in section.parts}
    for chart, column in zip(found["service"].charts, ("model mean", "CPU"), strict=True):
        data = chart.data[chart.name]
        assert [at for at, value in zip(data["t"], data[column], strict=True) if value is None] == [330.0]
        assert len(data["t"]) == 11
