"""Every command block of the docs is run, or says why not: page by page, in a folder where what the page names is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from blocks import PAGES, Block, Mark, blocks_of, mark_of
from places import ROOT
from stage import Stage

COMMANDS = ("sh", "python")
WRITTEN = ("", "text")  # output, formulas, drawings


def _with(slow: bool) -> list[Path]:
    return [
        page
        for page in PAGES
        if any(block.mark.verb == "runnable" and block.mark.slow == slow for block in blocks_of(page))
    ]


def _run(page: Path, slow: bool, folder: Path) -> None:
    found = [block for block in blocks_of(page) if block.mark.verb == "file" or block.mark.slow == slow]
    with Stage(folder, found) as stage:
        for block in found:
            if block.mark.verb in ("runnable", "file"):
                stage.run(block)


# What a newcomer reads first is run by make test-live, the other pages by make test-slow: together they are minutes.
FIRST = ("README",)


@pytest.mark.live
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=() if page.stem in FIRST else pytest.mark.slow)
        for page in _with(slow=False)
    ],
)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    _run(page, False, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", _with(slow=True), ids=lambda page: page.stem)
def test_the_blocks_of_a_page_that_take_a_while_run(page: Path, tmp_path: Path) -> None:
    _run(page, True, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    silent = [str(block) for block in blocks_of(page) if block.kind in COMMANDS and block.mark.verb == ""]
    assert silent == [], "write <!-- runnable --> or <!-- not run: WHY --> before it"


def test_what_is_not_run_is_little_and_names_who_does_it() -> None:
    left = [block for page in PAGES for block in blocks_of(page) if block.mark.verb == "not run"]
    runnable = [block for page in PAGES for block in blocks_of(page) if block.mark.verb == "runnable"]
    assert len(left) <= 8
    assert len(runnable) >= 40
    for block in left:
        for path in re.findall(r"tests/[\w/.]+", block.mark.name):
            assert (ROOT / path).exists(), f"{block}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_block_of_data_is_what_it_says(page: Path) -> None:
    for block in blocks_of(page):
        if block.kind == "json":
            assert json.loads(block.text), block
        elif block.kind == "yaml":
            assert yaml.safe_load(block.text), block
        else:
            assert block.kind in (*COMMANDS, *WRITTEN), block


def test_comments_are_read() -> None:
    assert mark_of("runnable") == Mark("runnable")
    read = mark_of("runnable: slow; 2x5/10m => 1x2/2s; exit 0 3; silent; until http://")
    assert read == Mark("runnable", "", True, (("2x5/10m", "1x2/2s"),), (0, 3), True, "http://")
    assert mark_of("file: job.yaml") == Mark("file", "job.yaml")
    for wrong in ("runable", "runnable: quick", "file:", "not run"):
        with pytest.raises(ValueError):  # noqa: PT011
            mark_of(wrong)


def test_a_command_outside_of_a_block_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Do\n\n    loadtest run job.json\n")
    with pytest.raises(ValueError, match="write it as a block"):
        blocks_of(page)


@pytest.mark.parametrize(
    ("text", "mark", "words"),
    [
        ("exit 7", Mark("runnable"), "exit code 7"),
        ("true", Mark("runnable"), "printed nothing"),
        ("echo Traceback", Mark("runnable"), "Traceback"),
        ("echo a", Mark("runnable", changes=(("b", "c"),)), "b"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_found(text: str, mark: Mark, words: str, tmp_path: Path) -> None:
    block = Block(tmp_path / "page.md", 3, "sh", text, mark)
    with Stage(tmp_path, [block]) as stage, pytest.raises(AssertionError, match=words):
        stage.run(block)


def test_what_a_block_leaves_running_is_ended(tmp_path: Path) -> None:
    left = Block(tmp_path / "page.md", 1, "sh", "sleep 600 & echo $!", Mark("runnable"))
    served = Block(tmp_path / "page.md", 2, "sh", "echo ready; exec sleep 600", Mark("runnable", until="ready"))
    with Stage(tmp_path, [left, served]) as stage:
        stage.run(left)
        stage.run(served)
        pid = int((tmp_path / ".out-1").read_text())
        assert Path(f"/proc/{pid}").exists() or not Path("/proc").exists()
    assert not Path(f"/proc/{pid}/exe").exists()
