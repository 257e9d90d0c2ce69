"""The run folder with real files: complete, atomic, never overwriting, readable after a crash."""

from __future__ import annotations

import base64
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.verdict import Trust
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.errors import SpecError
from loadtest.report.folder import PARTIAL, RunFolder, run_name
from loadtest.report.recovery import read_run
from loadtest.report.whole import whole_folder

CREATED_AT = 1_760_000_000.0
NAME = "20251009T085320Z-bert-nightly"
FILES = {
    "config.json",
    "describe.json",
    "job.json",
    "junit.xml",
    "latency.hgrm",
    "latency.hlog",
    "levels.csv",
    "run.log",
    "schedule.csv",
    "summary.json",
    "windows.jsonl",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_run_has_exactly_its_files(tmp_path: Path, result: RunResult) -> None:
    folder = whole_folder(tmp_path / "not" / "yet", result, CREATED_AT).path
    assert folder == tmp_path / "not" / "yet" / NAME
    assert names(folder) == FILES
    assert names(folder.parent) == {NAME}, "nothing temporary is left"


def test_what_was_written_is_read_back_as_the_same_result(
    tmp_path: Path, finish: Callable[..., RunResult], limited: Trust
) -> None:
    result = finish(
        Reason.MAX_INVOCATIONS,
        {"rate_per_min": 7200.5, "levels": [1, 2]},
        trust=limited,
        not_run=["b"],
        problems=["p"],
        log_tail=["l1", "l2"],
    )
    assert read_run(whole_folder(tmp_path, result, CREATED_AT).path) == result


def test_reading_a_folder_decodes_each_window_once(
    tmp_path: Path, result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, decoded = whole_folder(tmp_path, result, CREATED_AT).path, []
    decode = base64.b64decode
    monkeypatch.setattr(base64, "b64decode", lambda text, **how: decoded.append(text) or decode(text, **how))
    read_run(folder)
    windows = [part for window in result.windows for part in window.latencies.histograms().values() if part]
    levels = [part for level in result.levels for part in level.latencies.histograms().values() if part]
    # And the levels' sums, for the run's.
    assert sorted(decoded) == sorted(windows + levels)


def test_what_was_concluded_is_kept_and_what_was_not_is_worked_out(tmp_path: Path, result: RunResult) -> None:
    folder = whole_folder(tmp_path, result, CREATED_AT).path
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["slow"] is not None
    (folder / "summary.json").write_text(json.dumps({**summary, "slow": {**summary["slow"], "spells": 77}}))
    assert read_run(folder).slow == replace(result.slow, spells=77)
    del summary["slow"]  # as in folders of versions that did not tell
    (folder / "summary.json").write_text(json.dumps(summary))
    assert read_run(folder).slow == result.slow


def test_a_result_without_job_verdict_or_clock_survives_too(tmp_path: Path, finish: Callable[..., RunResult]) -> None:
    result = finish(job=None, verdicts=(), overall=None, started_at=None, stopped_at_s=None, starts=())
    folder = whole_folder(tmp_path, result, CREATED_AT).path
    assert folder.name == "20251009T085320Z-ml-c5-xlarge", "named by the test where the job has no name"
    assert read_run(folder) == result


def test_the_summary_has_what_scripts_rely_on(tmp_path: Path, result: RunResult) -> None:
    summary = json.loads((whole_folder(tmp_path, result, CREATED_AT).path / "summary.json").read_text())
    assert (summary["schema_version"], summary["reason"], summary["evidence"]) == (1, "CURVE_END", {})
    assert summary["totals"]["ok"] == 40 * 20 * (2 + 4 + 6)
    assert summary["totals"]["errors"] == 13
    assert {"p50_ms", "p95_ms", "p99_ms"} <= summary["totals"].keys()
    assert [level["users"] for level in summary["levels"]] == [2, 4, 6]
    assert [level["throughput_per_s"] for level in summary["levels"]] == [40, 80, 120]
    assert {"start_s", "end_s", "ok", "p50_ms", "p95_ms", "p99_ms"} <= summary["levels"][0].keys()
    assert summary["max_invocations_per_min"] == pytest.approx(result.max_invocations_per_min)
    assert summary["max_invocations_estimated"] is False
    assert summary["model_latency_ms"] == result.model_latency_ms
    assert summary["schedule"]["max_lag_ms"] == pytest.approx(6)
    assert summary["schedule"]["mean_lag_ms"] == pytest.approx(3.5)
    assert summary["trust"]["valid"] is True
    assert [verdict["answer"] for verdict in summary["verdicts"]] == ["met", "undecided", "met"]
    assert "HIST" not in json.dumps(summary), "no histogram is repeated here"


def test_the_config_says_how_to_run_it_again(tmp_path: Path, result: RunResult, plan: Plan) -> None:
    config = json.loads((whole_folder(tmp_path, result, CREATED_AT).path / "config.json").read_text())
    assert Plan.from_dict(config["effective"]) == plan
    assert (config["seed"], config["plan_digest"]) == (plan.options.seed, plan.digest())
    assert config["environment"]["python"] == "3.11.9"
    assert config["started_at"] == result.started_at


def test_the_job_is_kept_as_received(tmp_path: Path, result: RunResult) -> None:
    job = json.loads((whole_folder(tmp_path, result, CREATED_AT).path / "job.json").read_text())
    assert job == result.job
    assert job["Tags"] == [{"Key": "k", "Value": "v"}]


def test_the_tables(tmp_path: Path, result: RunResult) -> None:
    folder = whole_folder(tmp_path, result, CREATED_AT).path
    with open(folder / "schedule.csv", newline="") as lines:
        schedule = list(csv.DictReader(lines))
    assert [row["action"] for row in schedule] == ["start"] * 6 + ["stop"]
    assert (schedule[2]["user"], schedule[2]["planned_s"], schedule[2]["actual_s"], schedule[2]["lag_ms"]) == (
        "2",
        "40.0",
        "40.003",
        "3.000",
    )
    with open(folder / "levels.csv", newline="") as lines:
        levels = list(csv.DictReader(lines))
    assert [(row["users"], row["ok"], row["throughput_per_s"]) for row in levels] == [
        ("2", "1600", "40.0"),
        ("4", "3200", "80.0"),
        ("6", "4800", "120.0"),
    ]
    assert levels[0]["model_p95_ms"] == "", "not measured"


def test_windows_are_one_json_line_each(tmp_path: Path, result: RunResult) -> None:
    lines = (whole_folder(tmp_path, result, CREATED_AT).path / "windows.jsonl").read_text().splitlines()
    assert tuple(Window.from_dict(json.loads(line)) for line in lines) == result.windows


def test_the_log_tells_the_end(tmp_path: Path, finish: Callable[..., RunResult], limited: Trust) -> None:
    result = finish(Reason.ENGINE_LOST, {"why": "signal 9"}, trust=limited, log_tail=["Traceback", "boom"])
    log = (whole_folder(tmp_path, result, CREATED_AT).path / "run.log").read_text().splitlines()
    assert log[0] == "2025-10-09T08:55:21.250+00:00 ended ENGINE_LOST: the load generator was lost"
    assert log[1].endswith('evidence: {"why": "signal 9"}')
    assert "trust cpu: the generator used 97 %" in log[2]
    assert log[3:] == ["generator: Traceback", "generator: boom"]


def test_everything_is_on_disk_while_the_run_goes(
    tmp_path: Path, plan: Plan, windows: list[Window], changes: list[UserChange]
) -> None:
    with RunFolder(tmp_path, plan, created_at=CREATED_AT, label="x") as folder:
        assert folder.path == tmp_path / ("20251009T085320Z-x" + PARTIAL)
        assert names(folder.path) == FILES - {
            "summary.json",
            "describe.json",
            "levels.csv",
            "latency.hgrm",
            "junit.xml",
        }
        folder.start(CREATED_AT)
        for n, window in enumerate(windows[:5], 1):
            folder.window(window)
            assert len((folder.path / "windows.jsonl").read_text().splitlines()) == n
            assert len((folder.path / "latency.hlog").read_text().splitlines()) == 5 + n
        folder.changes(changes)
        folder.log("hello\nworld", CREATED_AT)
        assert len((folder.path / "schedule.csv").read_text().splitlines()) == 1 + len(changes)
        assert (folder.path / "run.log").read_text() == (
            "2025-10-09T08:53:20.000+00:00 hello\n2025-10-09T08:53:20.000+00:00 world\n"
        )
    assert names(tmp_path) == {"20251009T085320Z-x" + PARTIAL}, "unfinished, it never gets the final name"


def test_the_start_may_be_told_at_the_end(tmp_path: Path, plan: Plan, result: RunResult) -> None:
    with RunFolder(
        tmp_path, plan, created_at=CREATED_AT, job=result.job, label=result.label, info=result.info
    ) as folder:
        for window in result.windows:
            folder.window(window)
        path = folder.finish(replace(result, changes=()))
    log = (path / "latency.hlog").read_text().splitlines()
    assert log[2] == "#[BaseTime: 1760000000.250 (seconds since epoch)]"
    assert sum("BaseTime" in line for line in log) == 1
    assert len(log) == 5 + 120
    assert json.loads((path / "config.json").read_text())["started_at"] == result.started_at


def test_runs_of_one_second_do_not_collide(tmp_path: Path, result: RunResult, plan: Plan) -> None:
    with RunFolder(tmp_path, plan, created_at=CREATED_AT, job=result.job) as running:
        finished = [whole_folder(tmp_path, result, CREATED_AT + 0.3 * k).path for k in range(3)]
        assert [path.name for path in finished] == [f"{NAME}-2", f"{NAME}-3", f"{NAME}-4"]
        assert running.finish(result).name == NAME


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path, result: RunResult, plan: Plan) -> None:
    with RunFolder(tmp_path, plan, created_at=CREATED_AT, job=result.job) as folder:
        (tmp_path / NAME).mkdir()
        (tmp_path / NAME / "mine.txt").write_text("keep")
        path = folder.finish(result)
    assert path.name == f"{NAME}-2"
    assert names(tmp_path / NAME) == {"mine.txt"}
    assert names(path) == FILES


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path, result: RunResult) -> None:
    (tmp_path / NAME).write_text("keep")
    assert whole_folder(tmp_path, result, CREATED_AT).path.name == f"{NAME}-2"
    assert (tmp_path / NAME).read_text() == "keep"


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a crashed run beside it"])
def test_an_exact_folder_is_the_runs_own(tmp_path: Path, result: RunResult, plan: Plan, there: str) -> None:
    out = tmp_path / "a" / "out"
    if there == "an empty folder":
        out.mkdir(parents=True)
    elif there == "a crashed run beside it":
        (out.parent / ("out" + PARTIAL)).mkdir(parents=True)
        (out.parent / ("out" + PARTIAL) / "windows.jsonl").write_text("keep")
    with RunFolder(out, plan, created_at=CREATED_AT, exact=True) as folder:
        assert folder.finish(result) == out
    assert names(out) == FILES
    crashed = out.parent / ("out" + PARTIAL) / "windows.jsonl"
    assert crashed.exists() == (there == "a crashed run beside it")


@pytest.mark.parametrize("file", [False, True])
def test_an_exact_folder_with_something_in_it_is_refused(tmp_path: Path, plan: Plan, file: bool) -> None:
    out = tmp_path / "out"
    if file:
        out.write_text("keep")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not empty"):
        RunFolder(out, plan, created_at=CREATED_AT, exact=True)
    assert names(tmp_path) == {"out"}


def test_an_exact_folder_that_was_filled_meanwhile_is_not_overwritten(
    tmp_path: Path, result: RunResult, plan: Plan
) -> None:
    out = tmp_path / "out"
    with RunFolder(out, plan, created_at=CREATED_AT, exact=True) as folder:
        out.mkdir()
        (out / "mine.txt").write_text("keep")
        assert folder.finish(result) == tmp_path / "out-2", "the results are worth more than the name"
    assert names(out) == {"mine.txt"}


@pytest.mark.parametrize(
    ("job", "label", "name"),
    [
        ("bert", "x", "20251009T085320Z-bert"),
        ("", "ml.c5.xlarge A=1/..", "20251009T085320Z-ml-c5-xlarge-A-1"),
        ("../../etc", "", "20251009T085320Z-etc"),
        ("", "", "20251009T085320Z"),
        ("a" * 200, "", "20251009T085320Z-" + "a" * 64),
    ],
)
def test_names(job: str, label: str, name: str) -> None:
    assert run_name(CREATED_AT, job, label) == name


WRITER = """
import json, sys
from loadtest.core.traffic.plan import Plan
from loadtest.core.measure.window import Window
from loadtest.report.folder import RunFolder
plan, windows = Plan.from_dict(json.loads(sys.stdin.readline())), json.loads(sys.stdin.readline())
folder = RunFolder(sys.argv[1], plan, created_at=1760000000.0, label="killed", job={"JobName": "killed"})
folder.start(1760000000.25)
for window in windows:
    folder.window(Window.from_dict(window))
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_writer_leaves_a_partial_folder_that_can_be_read(
    tmp_path: Path, plan: Plan, windows: list[Window]
) -> None:
    sent = windows[:60]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(json.dumps(plan.to_dict()) + "\n" + json.dumps([w.to_dict() for w in sent]) + "\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait(timeout=30)
    partial = tmp_path / f"20251009T085320Z-killed{PARTIAL}"
    assert names(tmp_path) == {partial.name}
    with open(partial / "windows.jsonl", "a") as lines:
        lines.write('{"index": 60, "start_s": 60.0, "en')  # as a crash of the machine leaves it
    result = read_run(partial)
    assert result.reason is Reason.ENGINE_LOST
    assert result.windows == tuple(sent)
    assert result.evidence["last_window_s"] == 60.0
    assert (result.started_at, result.label) == (1760000000.25, "killed")
    # It can be finished now, under a name of its own.
    assert names(whole_folder(tmp_path, result, CREATED_AT).path) == FILES


def test_an_exception_leaves_nothing_under_the_final_name(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path, plan, created_at=CREATED_AT):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["20251009T085320Z" + PARTIAL]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").write_text("{}"),
        lambda folder: (folder / "config.json").write_text("not json"),
        lambda folder: (folder / "schedule.csv").write_text("a,b\n1,2\n"),
        lambda folder: (folder / "windows.jsonl").write_text('{"index": 1}\n'),
        lambda folder: (folder / "config.json").write_text(
            (folder / "config.json").read_text().replace('"schema_version": 1', '"schema_version": 99')
        ),
    ],
)
def test_what_is_no_run_folder_is_said_to_be_none(
    tmp_path: Path, result: RunResult, damage: Callable[[Path], object]
) -> None:
    folder = whole_folder(tmp_path, result, CREATED_AT).path
    damage(folder)
    with pytest.raises(SpecError, match="is not a run folder that can be read"):
        read_run(folder)
