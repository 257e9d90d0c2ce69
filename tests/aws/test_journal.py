"""The journal: on the disk before anything is made, readable after any end, gone when all is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.aws.journal import Journal, Made, journal_dir, open_journals, read_journal
from loadtest.errors import SpecError

ENDPOINT = Made("endpoint", "e", "job", "us-east-1", None)
MODEL = Made("model", "m", "job", "us-east-1", "http://127.0.0.1:1")


def test_what_is_left_endpoints_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.creating(MODEL)
    journal.creating(ENDPOINT)
    found = read_journal(journal.path)
    assert (found.left, found.running) == ((ENDPOINT, MODEL), True)
    journal.gone(ENDPOINT)
    assert not journal.close()
    (found,) = open_journals(tmp_path)
    assert (found.left, found.running) == ((MODEL,), False)


def test_it_is_deleted_when_all_is_gone_and_never_written_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sub" / "j.jsonl")
    with pytest.raises(SpecError, match="cannot be written"):
        Journal(journal.path)
    journal.creating(MODEL)
    journal.gone(MODEL)
    assert journal.close()
    assert not journal.path.exists()
    assert not list(open_journals(tmp_path / "sub"))


def test_a_last_line_that_was_cut_off_says_nothing_and_any_other_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.creating(MODEL)
    journal.close()
    whole = path.read_text()
    path.write_text(whole + whole[:20])
    assert read_journal(path).left == (MODEL,)
    path.write_text(whole + json.dumps({"event": "create"}) + "\n" + whole)
    with pytest.raises(SpecError, match="line 3 is damaged"):
        read_journal(path)


@pytest.mark.parametrize("text", ["", '{"event": "be', '{"event": "begin", "account": null, "at": 1'])
def test_a_journal_that_was_cut_off_in_its_first_line_names_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(text)
    assert read_journal(path).left == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"JobName": "a job on one line"}',
        '{"JobName": "a job on one line"}\n',
        "export AWS_ENDPOINT_URL=http://127.0.0.1:1\n",
        "[1]\n",
        '"event"\n',
        "\n",
        '{"event": "create", "kind": "bucket", "name": "b"}\n',
        '{"event": "create", "kind": "model", "name": "m"}\n',
    ],
)
def test_a_file_that_is_no_journal_is_not_taken_for_one_of_which_nothing_is_left(text: str, tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(text)
    with pytest.raises(SpecError, match="is no journal of `loadtest recommend --deploy`"):
        read_journal(path)


def test_the_account_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl", "123456789012")
    journal.creating(MODEL)
    journal.close()
    assert read_journal(journal.path).account == "123456789012"


def test_beside_a_journal_of_ones_own_may_lie_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "windows.jsonl").write_text('{"index": 0}\n')
    journal = Journal(tmp_path / "j.jsonl")
    journal.creating(MODEL)
    journal.close()
    assert [each.path for each in open_journals(tmp_path)] == [journal.path]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    journal_dir().mkdir(parents=True)
    (journal_dir() / "strange.jsonl").write_text('{"index": 0}\n')
    with pytest.raises(SpecError, match="is no journal"):  # nobody else writes there: it is looked at
        list(open_journals(journal_dir()))
