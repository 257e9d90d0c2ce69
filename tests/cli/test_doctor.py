"""The verb `doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.usefixtures("no_aws_here")


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
