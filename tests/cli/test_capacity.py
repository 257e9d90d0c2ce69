"""`loadtest capacity`: what is asked, what is wrong with it, and a run of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import loadtest
from loadtest.cli import main
from loadtest.errors import SpecError
from loadtest.jobfile.jobfile import ScenarioOptions
from loadtest.jobfile.objective import search_of
from loadtest.jobfile.search_wish import SearchWish

JOB = Path(__file__).parents[2] / "scenarios" / "stop-latency.json"


def test_a_files_own_objective_counts_and_every_threshold_besides() -> None:
    spec = loadtest.parse(JOB)
    own = spec.stop.latency
    assert own is not None
    made = search_of(spec, ScenarioOptions(), SearchWish(("p99<500ms", "error_rate<2%")))
    assert [(each.percentile, each.limit_ms) for each in made.objectives] == [
        (own.percentile, own.limit_ms),
        (0.99, 500),
    ]
    assert made.max_error_ratio == 0.02


def test_what_a_flag_says_goes_before_the_scenario() -> None:
    scenario = ScenarioOptions(search=SearchWish(("p99<500ms",), within=0.1, budget_s=60))
    made = search_of(loadtest.parse(JOB), scenario, SearchWish(within=0.02))
    assert (made.within, made.budget_s, len(made.objectives)) == (0.02, 60, 2)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = ["capacity", "mock:", "--threshold", "rate>5/s", "--threshold", "p95>3ms", "--max-rate", "5/s"]
    done = CliRunner().invoke(main, wrong)
    assert done.exit_code == 2
    for text in ("rate>5/s", "p95>3ms", "--by rate", "nothing says"):
        assert text in done.output


def test_a_scenario_names_each_fault_by_its_path(tmp_path: Path) -> None:
    job = json.loads(JOB.read_text())
    job["Loadtest"] = {
        **job.get("Loadtest", {}),
        "search": {"by": "luck", "within": 3, "thresholds": ["x"], "colour": 1},
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    with pytest.raises(SpecError) as caught:
        loadtest.plan(tmp_path / "job.json")
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {f"Loadtest.search.{name}" for name in ("by", "within", "thresholds[0]", "colour")}


def test_in_virtual_time_from_python() -> None:
    result = loadtest.capacity("mock:servers=4,service_ms=20", thresholds=["p95<60ms"], virtual=True)
    assert result.capacity is not None
    assert (result.capacity.load, result.capacity.finding, result.capacity.binding) == (12, "found", "P95 <= 60 ms")


@pytest.mark.live
def test_a_mock_by_users_keeps_a_whole_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["capacity", "mock:servers=4,service_ms=20", "--threshold", "p95<70ms", "--budget", "20s", "--no-report"]
    done = CliRunner().invoke(main, [*command, "--quiet", "--output-dir", str(out)])
    found = json.loads((out / "summary.json").read_text())
    # On a machine that is busy the generator may be the limit: then there is no number, and that is said.
    assert done.exit_code == (0 if found["capacity"]["finding"] == "found" else 3)
    assert found["reason"] == "CAPACITY"
    assert found["capacity"]["requests"] > 100
    assert loadtest.load(out).capacity.to_dict() == found["capacity"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_nineteen_of_twenty_live_searches_hold_the_theory() -> None:
    """Four servers, 20 ms: 12 users wait 60 ms, the 13th longer.

    Not P95 <= 60 ms: from 9 users on some wait exactly three service times, so that a timer's fraction of a millisecond
    decides, by the mock's own clock as by the client's.
    """
    asked = {"thresholds": ["p95<70ms"], "budget_s": 90.0}
    found = [loadtest.capacity("mock:servers=4,service_ms=20", **asked).capacity for _ in range(20)]  # type: ignore[arg-type]
    held = [(each.low or 0) <= 12 <= (each.high or 0) for each in found]  # type: ignore[union-attr]
    assert sum(held) >= 19


CONTAINER = """
import time, waitress
def app(environ, start):
    environ["wsgi.input"].read()
    time.sleep(0.1)
    start("200 OK", [("Content-Type", "application/json")])
    return [b"{}"]
server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
print(server.effective_port, flush=True)
server.run()
"""


@pytest.mark.slow
def test_a_container_agrees_with_its_own_open_loop_check(tmp_path: Path) -> None:
    """A model of 100 ms behind a real WSGI server with four threads: 20 users wait half a second, the 21st longer.

    A machine that is busy makes the container a slower one, or another one while it is searched, and that is said.
    """
    with subprocess.Popen(
        [sys.executable, "-c", CONTAINER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url, out = f"http://127.0.0.1:{int(server.stdout.readline())}/invocations", tmp_path / "run"
            asked = [
                "--threshold",
                "p95<550ms",
                "--budget",
                "240s",
                "--confirm",
                "80",
                "--confirm-for",
                "30s",
                "--quiet",
            ]
            CliRunner().invoke(main, ["capacity", url, *asked, "--no-report", "--output-dir", str(out)])
        finally:
            server.terminate()
    found = json.loads((out / "summary.json").read_text())
    capacity = found["capacity"]
    assert capacity["finding"] in ("found", "budget", "drifting", "scaling out", "generator limited")
    assert capacity["low"] is None or capacity["low"] <= 20
    if capacity["finding"] == "found":
        assert found["confirmation"]["answer"] == "held"
