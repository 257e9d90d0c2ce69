"""The docs hold (what their blocks do is in test_docs_blocks.py): flags exist, links lead somewhere, each message has its place."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from docs_cli import cli_page
from rich.console import Console

import loadtest
import loadtest.errors as errors
from loadtest.cli import VERBS, VerbGroup
from loadtest.core.judge.decision import Reason
from loadtest.core.judge.verdict import Trust, TrustReason
from loadtest.core.measure.outcome import Kind
from loadtest.jobs.store import StoreFailure
from loadtest.report.terminal import summary

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
TROUBLESHOOTING = ROOT / "docs/troubleshooting.md"
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.S | re.M)
MADE = {"benchmarks.md", "benchmarks-capacity.md", "changelog.md", "fields.md", "cli.md"}  # see tools/docs_hooks.py


def _commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for block in FENCE.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].split()
                if words[:1] == ["loadtest"] and len(words) > 1 and not words[1].startswith("-"):
                    found.append((page.name, words))
    return found


@pytest.mark.parametrize("verb", sorted({words[1] for _, words in _commands()}))
def test_the_verbs_and_flags_of_every_block_exist(verb: str) -> None:
    command = [sys.executable, "-m", "loadtest", verb, "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for page, words in _commands():
        for flag in words[2:] if words[1] == verb else ():
            if flag.startswith("--"):
                assert flag.partition("=")[0] in help_text, f"{page}: {' '.join(words)}"


def _trust_codes() -> set[str]:
    """Every code that a TrustReason is made with, read from the source."""
    source = "\n".join(path.read_text() for path in (ROOT / "loadtest/core").rglob("*.py"))
    return set(re.findall(r"(?:TrustReason|_over)\(\s*\"([a-z-]+)\"", source))


def _heads() -> set[str]:
    return set(re.findall(r"^### `([^`]+)`$", TROUBLESHOOTING.read_text(), re.M))


def test_every_error_class_reason_and_kind_has_an_anchor() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.LoadtestError) and value is not errors.LoadtestError
    }
    codes = _trust_codes()
    assert len(codes) >= 12
    wanted = (
        classes | codes | {reason.value for reason in Reason} | {kind.value for kind in Kind if kind is not Kind.OK}
    )
    assert wanted == _heads(), "what is said and what is explained are the same"


def _explained(text: str) -> set[str]:
    """Anchors of the page that a message names."""
    found = re.search(r"docs/troubleshooting\.md((?:#[\w-]+(?:, )?)+)", text)
    assert found is not None, text
    return set(re.findall(r"#([\w-]+)", found[1]))


@pytest.mark.parametrize(
    "error", [errors.SpecError([errors.Problem("a", "", "b")]), errors.TargetError("a"), StoreFailure("a")]
)
def test_a_message_names_the_anchor_of_its_error_class(error: errors.LoadtestError) -> None:
    group = VerbGroup("loadtest")

    @click.command(name="fail")
    def command() -> None:
        raise error

    group.get_command = lambda ctx, name: command  # type: ignore[method-assign]
    done = CliRunner().invoke(group, ["fail"])
    heads = {head.lower() for head in _heads()}
    (anchor,) = _explained(done.stderr)
    assert anchor in heads
    assert type(error).__mro__[0 if anchor != "engineerror" else 1].__name__.lower() == anchor
    assert done.stderr.startswith(str(error))


def test_an_invalid_result_names_the_anchors_of_its_reasons() -> None:
    reasons = tuple(TrustReason(code, "text", "advice") for code in sorted(_trust_codes()))
    result = replace(loadtest.simulate(str(ROOT / "scenarios/stop-flat.json")), trust=Trust(False, True, reasons))
    Console(file=(said := io.StringIO()), width=100).print(summary(result))
    assert _explained(" ".join(said.getvalue().split())) == _trust_codes()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        other = page.parent / target if target else page
        if target not in MADE:
            assert other.exists(), target
            heads = re.findall(r"^#+ (.*)$", other.read_text(), re.M) if anchor else []
            slugs = [re.sub(r"[^a-z0-9_-]", "", head.lower().replace(" ", "-")) for head in heads]
            assert anchor == "" or anchor in slugs, f"{target}#{anchor}"


@pytest.mark.live
def test_every_file_of_a_run_is_explained(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtest", "run", "--target", "mock:service_ms=10", "--stairs", "1x1/1s"]
    subprocess.run([*command, "--output-dir", tmp_path / "run"], check=True, capture_output=True, timeout=90)
    explained = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/files.md").read_text(), re.M))
    of_aws = {"cloudwatch.json"}  # a run against an endpoint of SageMaker has it
    assert {path.name for path in (tmp_path / "run").iterdir()} | of_aws == explained


def test_the_page_of_the_command_line_has_every_verb_and_flag() -> None:
    page = cli_page()
    assert re.findall(r"^## `loadtest (.*)`$", page, re.M) == list(VERBS)
    run = page.partition("## `loadtest run`")[2].partition("\n## ")[0]
    for flag in ("--stairs TEXT", "--window DURATION", "--gate", "--spawn [smooth\\|per-minute]"):
        assert f"`{flag}`" in run
    assert "[default: 1s]" in run
    assert "UNSET" not in page
    assert "\b" not in page


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        children = entry.values() if isinstance(entry, dict) else entry
        return [page for child in children for page in pages(child)]  # type: ignore[union-attr]

    nav = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(nav) == sorted({page.name for page in PAGES} | MADE)


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["", "\n[gone](no-such-page.md)\n", "\n[gone](start.md#no-such-anchor)\n"])
def test_the_site_is_built_and_a_broken_link_is_an_error(planted: str, tmp_path: Path) -> None:
    pytest.importorskip("material")
    for name in ("docs", "tools", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    with (tmp_path / "docs/index.md").open("a") as page:
        page.write(planted)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert (done.returncode == 0) == (planted == ""), done.stderr
    if not planted:
        cli = (tmp_path / "site/cli.html").read_text()
        assert "--stairs" in cli
        assert "loadtest doctor" in cli
        fields = (tmp_path / "site/fields.html").read_text()
        assert "StoppingConditions.ModelLatencyThresholds" in fields
