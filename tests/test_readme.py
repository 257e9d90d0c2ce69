"""What README.md shows is run: its Python blocks, its commands' names and flags, the files it names."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from places import ROOT

README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
SHELL = [
    line.split("#")[0].split() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()
]


@pytest.mark.live
@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_a_python_block_runs_as_it_stands(block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_such_blocks() -> None:
    assert len(PYTHON) >= 3
    assert len(SHELL) >= 5


@pytest.mark.parametrize("words", [words for words in SHELL if words[:1] == ["loadtest"]], ids=" ".join)
def test_a_command_knows_its_flags(words: list[str]) -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "loadtest", words[1], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for flag in (word for word in words if word.startswith("--")):
        assert flag in help_text


@pytest.mark.parametrize("words", [words for words in SHELL if words[:1] == ["make"]], ids=" ".join)
def test_a_make_target_exists(words: list[str]) -> None:
    assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_a_linked_file_exists(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_scenario_that_is_named_exists() -> None:
    for name in re.findall(r"scenarios/[\w-]+\.json", README):
        assert (ROOT / name).exists()
