"""`loadtest compare` on real run folders: its answers, its formats, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from pairs import stairs_run

from loadtest.cli.compare import compared_sides
from loadtest.report.whole import whole_folder

RUNS = Path(__file__).parents[1] / "data" / "runs"


def test_what_takes_long_is_named(folders: Path) -> None:
    told: list[str] = []

    def waiting(text: str) -> AbstractContextManager[None]:
        told.append(text)
        return nullcontext()

    a, b = str(folders / "a1"), str(folders / "b1")
    compared_sides([a, b], waiting=waiting)
    assert told == [f"reading {a}", f"reading {b}", f"comparing {b}"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a1, a2, a3 of one endpoint, b1 of a slower one, short of another plan."""
    place = tmp_path_factory.mktemp("runs")
    made = {
        "a1": stairs_run(1),
        "a2": stairs_run(2),
        "a3": stairs_run(3),
        "b1": stairs_run(4, service_ms=46.0),
        "short": stairs_run(5, steps=2, length_s=20),
    }
    for number, (name, result) in enumerate(made.items()):
        whole_folder(place, result, 1_760_000_000.0 + 60 * number).path.rename(place / name)
    return place


@pytest.fixture
def compare(invoke, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    monkeypatch.chdir(folders)
    return lambda *given: invoke("compare", *given)


def test_text(compare) -> None:
    done = compare("a1", "b1")
    assert done.exit_code == 0
    assert "WORSE" in done.stdout
    assert "throughput, 2 users" in done.stdout
    assert "one run a side" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_fail_on_worse(compare) -> None:
    assert compare("a1", "b1", "--fail-on", "worse").exit_code == 4
    assert compare("b1", "a1", "--fail-on", "worse").exit_code == 0, "better is not worse"
    assert compare("a1", "b1", "--fail-on", "worse", "--margin", "40%").exit_code == 0


def test_the_folder_of_repeats_is_both_sides(compare, folders: Path, tmp_path: Path) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        (tmp_path / name).symlink_to(folders / name)
    (told,) = json.loads(compare(str(tmp_path), "--json").stdout)["comparisons"]
    assert [Path(name).name for name in told["baseline"]] == ["a1", "a2", "a3"]
    assert [Path(name).name for name in told["candidate"]] == ["b1"]
    assert "needs two sides" in compare("a1").stderr


def test_json_of_several_candidates_and_repeats(compare) -> None:
    found = json.loads(compare("a1,a2", "b1", "a3", "--json").stdout)
    assert found["schema_version"] == 1
    first, second = found["comparisons"]
    assert (first["baseline"], first["candidate"]) == (["a1", "a2"], ["b1"])
    assert (first["answer"], second["candidate"]) == ("worse", ["a3"])
    assert first["alpha"] == 0.005, "two comparisons share the error probability"
    row = next(row for row in first["rows"] if row["metric"] == "p50" and row["level"] is None)
    assert row["low"] < row["difference"] < row["high"]
    assert row["unit"] == "ms"


def test_markdown_is_a_table(compare) -> None:
    lines = compare("a1", "b1", "--markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[1] == "|---|---:|---:|---:|---:|---|"
    assert all(row.count("|") == rows[0].count("|") for row in rows)
    assert any("**worse**" in row for row in rows)


def test_a_page_is_written_and_what_cannot_be_written_is_told(compare, folders: Path, tmp_path: Path) -> None:
    done = compare("a1,a2", "b1", "--html", tmp_path / "compare.html", "--fail-on", "worse")
    assert done.exit_code == 4, "the answer is the exit code all the same"
    assert "b1 against a1 and 1 more" in (tmp_path / "compare.html").read_text()
    lost = compare("a1", "b1", "--html", tmp_path / "nowhere" / "compare.html")
    assert lost.exit_code == 5
    assert "WORSE" in lost.stdout
    assert "compare.html could not be written" in lost.stderr


def test_every_row_on_request(compare) -> None:
    short, everything = compare("a1", "b1").stdout, compare("a1", "b1", "--all").stdout
    assert "error share, 2 users" in everything
    assert "error share, 2 users" not in short
    assert "not shown" in short
    assert "not shown" not in everything


def test_different_plans_are_refused_unless_forced(compare) -> None:
    refused = compare("a1", "short")
    assert refused.exit_code == 2
    assert "different plans: the users over time differ" in refused.stderr
    assert "--force" in refused.stderr
    forced = compare("a1", "short", "--force")
    assert forced.exit_code == 0
    assert "different plans" in forced.stdout


def test_every_bad_folder_is_named(compare, folders: Path) -> None:
    (folders / "empty").mkdir(exist_ok=True)
    broken = folders / "broken"
    shutil.copytree(folders / "a1", broken, dirs_exist_ok=True)
    (broken / "windows.jsonl").write_text("{}\n")
    done = compare("a1", "a1", "nowhere", "empty", "broken")
    assert done.exit_code == 2
    assert "a1: is given twice" in done.stderr
    assert "nowhere: there is no such folder" in done.stderr
    assert "empty: is not a run folder" in done.stderr
    assert "broken: is not a run folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "given",
    [
        ("a1",),
        ("a1", "b1", "--margin", "-1%"),
        ("a1", "b1", "--margin", "5 apples"),
        ("a1", "b1", "--fail-on", "better"),
        ("a1", "b1", "--json", "--markdown"),
        (",", "b1"),
    ],
)
def test_wrong_usage(compare, given: tuple[str, ...]) -> None:
    done = compare(*given)
    assert done.exit_code == 2
    assert done.stderr


@pytest.mark.parametrize("kind", ["closed", "open", "streamed", "workers", "confirmed"])
def test_stored_folders_can_be_compared(invoke, tmp_path: Path, kind: str) -> None:
    shutil.copytree(RUNS / kind, tmp_path / "copy")
    done = invoke("compare", RUNS / kind, tmp_path / "copy", "--json")
    assert done.exit_code == 0, done.stderr
    (entry,) = json.loads(done.stdout)["comparisons"]
    assert entry["answer"] in ("undecided", "same"), "a run differs from its copy by nothing"


def test_an_unfinished_folder_can_be_compared(compare, folders: Path) -> None:
    partial = folders / "cut.partial"
    shutil.copytree(folders / "a2", partial, dirs_exist_ok=True)
    (partial / "summary.json").unlink()
    done = compare("a1", "cut.partial")
    assert done.exit_code == 0
    assert "ended early (ENGINE_LOST)" in done.stdout.replace("\n", " ")
