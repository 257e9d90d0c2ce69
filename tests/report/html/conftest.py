"""One browser for a file's tests, and pages of the stored folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser

from loadtest.core.result.result import RunResult
from loadtest.report.html.render import write_report
from loadtest.report.recovery import read_run
from loadtest.report.summary import summary_of

RUNS = Path(__file__).parent.parent.parent / "data" / "runs"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        found.media()
        yield found


@pytest.fixture
def shown(chromium: Browser, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Shows the page of results; the first one's summary.json."""

    def show(*results: RunResult) -> dict[str, Any]:
        path = tmp_path / "report.html"
        assert write_report(path, results) == ""
        chromium.open(path.as_uri())
        return json.loads(json.dumps(summary_of(results[0])))

    return show


@pytest.fixture(scope="session")
def stored() -> Callable[[str], RunResult]:
    return lambda kind: read_run(RUNS / kind)
