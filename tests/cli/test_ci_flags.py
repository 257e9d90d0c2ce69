"""--threshold and --summary-markdown, checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.cli.ci_flags import append_summary, thresholds_of
from loadtest.errors import SpecError


def test_every_wrong_threshold_is_named_before_the_run(invoke, tmp_path: Path) -> None:
    given = [part for text in ("p95<200", "speed>9", "p50<1ms", "p50 < 1ms") for part in ("--threshold", text)]
    done = invoke("run", tmp_path / "no-such-job.json", *given)
    assert done.exit_code == 2
    for said in ("the unit of p95", "(got speed>9)", "is given twice"):
        assert said in done.stderr
    assert "no-such-job" not in done.stderr, "nothing was read"


def test_thresholds_keep_their_order() -> None:
    assert [each.text for each in thresholds_of(["rate>1/s", "p95<1s"])] == ["rate>1/s", "p95<1s"]
    with pytest.raises(SpecError) as problem:
        thresholds_of(["x", "y"])
    assert len(problem.value.problems) == 2


def test_a_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.md"
    assert append_summary(path, "one") is None
    assert append_summary(path, "two") is None
    assert path.read_text() == "one\ntwo\n"
    assert append_summary(None, "nowhere") is None
    assert append_summary(tmp_path, "a folder") is not None
