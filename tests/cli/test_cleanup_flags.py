"""`loadtest cleanup`: what it does not touch."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.aws.journal import Journal, Made
from loadtest.cli import main


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("text", ['{"JobName": "j"}', '{"JobName": "j"}\n', "a: 1\n", ""])
def test_a_file_that_is_no_journal_is_kept(text: str, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(text)
    done = CliRunner().invoke(main, ["cleanup", "--journal", str(file), "--yes"])
    assert file.read_text() == text
    if text:
        assert done.exit_code == 2
        assert "is no journal of `loadtest recommend --deploy`" in done.output


@pytest.mark.parametrize("flag", ["--region", "--endpoint-url"])
@pytest.mark.parametrize("named", [True, False])
def test_where_a_journals_things_are_cannot_be_said_otherwise(flag: str, named: bool, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.creating(Made("model", "m", "job", "us-east-1", "http://127.0.0.1:9"))
    journal.close()
    which = ["--journal", str(journal.path)] if named else []
    done = CliRunner().invoke(main, ["cleanup", *which, flag, "http://127.0.0.1:9", "--yes"])
    assert done.exit_code == 2
    assert f"{flag}: means nothing without --tag: a journal says where its things are" in done.output
    assert journal.path.exists()
