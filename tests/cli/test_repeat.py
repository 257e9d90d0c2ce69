"""`loadtest run --repeat`: runs in turn, in one folder, compared as they come in. Real runs, a few seconds each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from requests_made import stairs_request

import loadtest
from loadtest.core.compare.comparison import ALPHA
from loadtest.core.compare.looks import FIRST_LOOK, alpha_at

pytestmark = pytest.mark.live

SLOW, FAST = "mock:servers=4,service_ms=24", "mock:servers=4,service_ms=8"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    request = stairs_request("repeated", users=2, steps=2, seconds=3)
    request["Loadtest"] = {"target": SLOW, "options": {"window_s": 0.1, "drain_s": 5}}
    path = tmp_path / "job.json"
    path.write_text(json.dumps(request))
    return path


def test_two_sides_in_turn(execute, job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = execute("run", job, "--repeat", 1, "--against", FAST, "--output-dir", folder, "--quiet", "--gate")
    assert done.returncode == 4, done.stderr
    assert "WORSE" in done.stdout
    a, b = loadtest.load(folder / "a1"), loadtest.load(folder / "b1")
    assert (a.plan.target.ref, b.plan.target.ref) == (FAST, SLOW)
    assert a.started_at is not None
    assert b.started_at is not None
    assert a.started_at + a.totals.length_s <= b.started_at, "one after the other"
    assert a.plan.options.seed != b.plan.options.seed
    (entry,) = json.loads((folder / "comparison.json").read_text())["comparisons"]
    assert entry["answer"] == "worse"
    assert "| throughput |" in (folder / "comparison.md").read_text()
    assert "b1 against" in (folder / "compare.html").read_text()
    assert f"Page: {folder / 'compare.html'}\n" in done.stdout


@pytest.mark.slow
def test_the_gate_of_the_file_counts_too(execute, job: Path, tmp_path: Path) -> None:
    request = json.loads(job.read_text())
    request["Loadtest"]["gate"] = True
    job.write_text(json.dumps(request))
    done = execute("run", job, "--repeat", 1, "--against", FAST, "--output-dir", tmp_path / "out", "--plain")
    assert done.returncode == 4, done.stderr
    assert done.stderr.index(f"a1, the baseline: {FAST}\n") < done.stderr.index(f"b1, the candidate: {SLOW}\n")


@pytest.mark.slow
def test_repeats_of_one_side(execute, job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = execute(
        "run", job, "--repeat", 2, "--output-dir", folder, "--quiet", "--json", "--locust-csv", "--log-requests", "50%"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["run1", "run2"]
    assert (folder / "run1" / "stats_history.csv").read_text().startswith("Timestamp,User Count,")
    assert (folder / "run2" / "requests.csv").read_text().count("\n") > 10


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--against", FAST], "--against: is for repeats only"),
        (["--margin", "5%"], "--margin: is for repeats only"),
        (["--repeat", "2", "--margin", "5%"], "there is nothing to compare with"),
        (["--repeat", "2", "--confirm"], "cannot be combined with --confirm"),
        (["--repeat", "2", "--against", "mock:servers=none"], "mock:servers"),
        (["--repeat", "0"], "0 is not in the range"),
    ],
)
def test_flags_that_do_not_go_together(invoke, job: Path, tmp_path: Path, given: list[str], said: str) -> None:
    done = invoke("run", job, *given, "--output-dir", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_written_to(invoke, job: Path, tmp_path: Path) -> None:
    done = invoke("run", job, "--repeat", "2", "--output-dir", tmp_path)
    assert done.exit_code == 2
    assert "holds something already" in done.stderr


@pytest.mark.parametrize("planned", range(1, 30))
def test_all_looks_together_err_no_more_than_one(planned: int) -> None:
    looks = [alpha for n in range(1, planned + 1) if (alpha := alpha_at(n, planned)) is not None]
    assert sum(looks) <= ALPHA * (1 + 1e-9)
    assert looks[-1] >= 0.8 * ALPHA
    assert len(looks) == max(1, planned - FIRST_LOOK + 1)
