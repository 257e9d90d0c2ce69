from __future__ import annotations

from places import ROOT

from loadtest.jobs.launch import LIVE_JOBS, VIRTUAL_JOBS


def test_the_document_says_how_many_jobs_run_at_once() -> None:
    words = {2: "two", 10: "Ten"}
    told = f"{words[LIVE_JOBS]} jobs run at the same time ({words[VIRTUAL_JOBS]} with the engine `sim`"
    assert told in (ROOT / "docs" / "fleet.md").read_text()
