"""The verb `doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_aws_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_the_verb_prints_and_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from loadtest.cli import main

    done = CliRunner().invoke(main, ["doctor", "--no-run", "--json"])
    assert done.exit_code == 0
    assert {each["topic"] for each in json.loads(done.stdout)} > {"Python", "Packages", "Proxy"}
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    text = CliRunner().invoke(main, ["doctor", "--no-run"])
    assert text.exit_code == 1
    assert "bad" in text.stdout
