"""README.md is short, and what it names is there. Its blocks are run by test_docs_blocks.py."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from places import ROOT

README = (ROOT / "README.md").read_text()
SHELL = [
    line.split("#")[0].split() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()
]


def test_it_is_a_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 90


def test_it_begins_with_the_two_commands_that_ci_runs() -> None:
    first = re.findall(r"```sh\n(.*?)```", README, re.S)[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]
    script = (ROOT / ".ci/run").read_text()
    assert "make test" in script
    assert "demo" in script


def test_the_comparison_has_a_date_and_a_source_for_each() -> None:
    section = README.partition("## Beside others")[2].partition("\n## ")[0]
    assert re.search(r"As of \w+ 20\d\d", section)
    (head,) = re.findall(r"^\| \| loadtest \|.*$", section, re.M)
    assert head.count("](https://") == head.count("|") - 3, "each column but ours leads to what it was read in"


@pytest.mark.parametrize("words", [words for words in SHELL if words[:1] == ["loadtest"]], ids=" ".join)
def test_a_command_knows_its_flags(words: list[str]) -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "loadtest", words[1], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for flag in (word for word in words if word.startswith("--")):
        assert flag in help_text


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_a_linked_file_exists(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_scenario_that_is_named_exists() -> None:
    for name in re.findall(r"scenarios/[\w-]+\.json", README):
        assert (ROOT / name).exists()
