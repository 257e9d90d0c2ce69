"""`loadtest cleanup`: what it does not touch."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.aws.journal import Journal, Made, journal_dir
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


@pytest.mark.parametrize(("flag", "there"), [("--region", "us-east-1"), ("--endpoint-url", "http://127.0.0.1:9")])
@pytest.mark.parametrize("named", [True, False])
def test_where_a_journals_things_are_cannot_be_said_otherwise(
    flag: str, there: str, named: bool, tmp_path: Path
) -> None:
    path = tmp_path / "j.jsonl" if named else journal_dir() / "j.jsonl"
    journal = Journal(path)
    journal.creating(Made("model", "m", "job", "us-east-1", "http://127.0.0.1:9"))
    journal.close()
    which = ["--journal", str(journal.path)] if named else []
    done = CliRunner().invoke(main, ["cleanup", *which, flag, "http://127.0.0.1:8", "--yes"])
    assert journal.path.exists()
    assert done.exit_code == 2
    assert f"{flag}: is not where {journal.path} says that things are: {there}" in done.output
    listed = CliRunner().invoke(main, ["cleanup", *which, flag, there])
    assert "nothing was removed: give --yes" in listed.output
