"""What the release is checked by can fail, and says why."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from release import changelog_problems, git_problems

ROOT = Path(__file__).parent.parent
TODAY = datetime.date(2030, 1, 2)
GOOD = "# Changelog\n\n## 0.2.0 (2030-01-02)\n\n- New.\n\n## 0.1.0 (2029-01-01)\n\n- First.\n"


def test_a_changelog_that_is_ready() -> None:
    assert list(changelog_problems(GOOD, "0.2.0", TODAY)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2030-01-02", "unreleased", "give it the date"),
        ("2030-01-02", "2030-01-03", "still to come"),
        ("- New.", "", "says nothing"),
        ("## 0.2.0", "## 0.3.0", "the source says 0.2.0"),
        ("## 0.2.0 (2030-01-02)", "## Next", "no '## X.Y.Z"),
        ("## 0.1.0", "## 0.2.0", "not in order"),
        ("## 0.1.0", "## 0.10.0", "not in order"),
        (GOOD, "", "newest version is none"),
    ],
)
def test_a_changelog_that_is_not(old: str, new: str, words: str) -> None:
    problems = list(changelog_problems(GOOD.replace(old, new), "0.2.0", TODAY))
    assert any(words in problem for problem in problems), problems


def test_this_changelog_lacks_nothing_but_a_date() -> None:
    from loadtest.version import VERSION

    problems = changelog_problems((ROOT / "CHANGELOG.md").read_text(), VERSION, datetime.date.max)
    assert [problem for problem in problems if "give it the date" not in problem] == []


def test_a_tree_and_tags() -> None:
    assert list(git_problems("0.2.0", "", "v0.1.0\n")) == []
    (changed, tagged) = git_problems("0.2.0", " M README.md\n?? x\n", "v0.1.0\nv0.2.0\n")
    assert "README.md, x" in changed
    assert "v0.2.0" in tagged


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    requirements = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    named = [each for each in requirements if not each.startswith("loadtest[")]
    assert [each for each in named if not re.fullmatch(r"[\w.-]+(\[[\w,]+\])?>=[\w.]+(; .+)?", each)] == []


def _would_run(target: str, venv: Path) -> str:
    """What make says that it would do where nothing is installed."""
    words = ["make", "--dry-run", "--no-print-directory", f"VENV={venv}", target]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@needs_make
def test_the_demo_waits_for_no_more_than_it_needs(tmp_path: Path) -> None:
    said = _would_run("demo", tmp_path)
    assert "--editable '.[report]'" in said
    assert "[dev]" not in said
    assert "--editable '.[dev]'" in _would_run("test", tmp_path)


@needs_make
def test_who_has_everything_has_what_the_demo_needs(tmp_path: Path) -> None:
    recipe = _would_run("install", tmp_path).splitlines()
    (touched,) = (line.split()[1:] for line in recipe if line.startswith("touch "))
    for stamp in touched:
        Path(stamp).touch()
    assert "pip" not in _would_run("demo", tmp_path)
    assert "pip" not in _would_run("test", tmp_path)
