"""The journal: on the disk before anything is made, readable after any end, gone when all is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.aws.journal import Journal, Made, open_journals, read_journal
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
    path.write_text(json.dumps({"event": "create"}) + "\n" + whole)
    with pytest.raises(SpecError, match="line 1 is none of a journal's"):
        read_journal(path)
