"""The live page of a real run, in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import LIMIT_S, Browser, browser

pytestmark = pytest.mark.live

JOB = {
    "JobName": "live",
    "JobType": "Advanced",
    "RoleArn": "arn:aws:iam::123456789012:role/R",
    "InputConfig": {
        "ModelName": "m",
        "TrafficPattern": {
            "TrafficType": "STAIRS",
            "Stairs": {"DurationInSeconds": 600, "NumberOfSteps": 2, "UsersPerStep": 1},
        },
        "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
    },
    "Loadtest": {"target": "mock:servers=2,service_ms=20"},
}
SECTIONS = """return [...document.querySelectorAll('main section')].map(section => [
    section.id.replace('t0-', ''),
    [...section.querySelectorAll('figure')].map(figure => figure.dataset.name),
    [...section.querySelectorAll('h4 + .scroll')].map(table => table.getAttribute('aria-label').replace(', table', ''))])"""
WINDOWS = "return Number(document.documentElement.dataset.windows || 0)"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts a run with --web; (its process, the address that it printed)."""
    running: list[subprocess.Popen[str]] = []

    def begin(*flags: str) -> tuple[subprocess.Popen[str], str]:
        job = tmp_path / "job.json"
        job.write_text(json.dumps(JOB))
        command = [sys.executable, "-m", "loadtest", "run", str(job), "--output-dir", str(tmp_path / "out"), *flags]
        run = subprocess.Popen(
            [*command, "--quiet", "--web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(run)
        assert run.stderr is not None
        for line in run.stderr:
            if found := re.match(r"live page: (\S+)", line):
                return run, found[1]
        raise AssertionError("no address was printed")

    yield begin
    for run in running:
        run.kill()
        run.communicate()


def test_figures_move_a_late_browser_catches_up_stop_works_and_the_process_ends(
    chromium: Browser, start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    run, url = start()
    chromium.open(url, ready=False)
    chromium.until(lambda: chromium.js(WINDOWS) >= 2)
    chromium.until(lambda: chromium.js("return document.querySelectorAll('figure:not([data-drawn])').length") == 0)
    assert chromium.js("return document.getElementById('state').innerText") == "running"
    ok = chromium.js("return Number(document.getElementById('ok').innerText.replaceAll(',', ''))")
    chromium.until(
        lambda: chromium.js("return Number(document.getElementById('ok').innerText.replaceAll(',', ''))") > ok
    )
    seen = chromium.js(WINDOWS)
    watching = chromium.driver.current_window_handle
    chromium.driver.switch_to.new_window("tab")
    late = chromium.driver.current_window_handle
    chromium.driver.get(url)
    chromium.until(lambda: chromium.js(WINDOWS) >= seen)
    assert chromium.js("return document.querySelectorAll('#near p').length") > 0
    chromium.until(lambda: chromium.js("return Number(document.documentElement.dataset.sofar || 0)") >= 2)
    sections = chromium.js(SECTIONS)
    assert [name for name, _, _ in sections] == ["users", "time", "spread", "levels", "trust", "job"]
    charts = {name for _, found, _ in sections for name in found}
    tables = {name for _, _, found in sections for name in found}
    assert chromium.js("return document.querySelector('[data-place=head]').innerText").strip()
    chromium.until(lambda: chromium.axe() == [])
    assert chromium.js("return document.querySelectorAll('[id]').length") == len(
        set(chromium.js("return [...document.querySelectorAll('[id]')].map(e => e.id)"))
    )
    chromium.driver.find_element("id", "stop").click()
    code = run.wait(LIMIT_S)  # both browsers are still open
    assert code == 130
    for handle in (late, watching):
        chromium.driver.switch_to.window(handle)
        chromium.until(lambda: chromium.driver.current_url.endswith("/report.html"))
        chromium.until(lambda: chromium.js("return document.documentElement.dataset.ready") == "1")
        assert "it was stopped on request" in chromium.js("return document.querySelector('.verdict').innerText")
    report = chromium.js(SECTIONS)
    assert [name for name, _, _ in report] == [name for name, _, _ in sections]
    # The report has besides what only the end knows: each user's start, the versions.
    assert {name for _, found, _ in report for name in found} - charts <= {"lateness"}
    assert {name for _, _, found in report for name in found} - tables <= {"What happened", "Versions"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["reason"] == "USER"
    assert [message for message in chromium.messages() if "SEVERE" in message or "Refused" in message] == []
    chromium.driver.close()
    chromium.driver.switch_to.window(late)


@pytest.mark.slow
def test_without_a_report_the_page_tells_how_it_ended(
    chromium: Browser, start: Callable[..., tuple[subprocess.Popen[str], str]]
) -> None:
    run, url = start("--no-report")
    chromium.open(url, ready=False)
    chromium.until(lambda: chromium.js(WINDOWS) >= 1)
    run.send_signal(2)
    assert run.wait(LIMIT_S) == 130
    chromium.until(lambda: chromium.js("return document.getElementById('state').innerText") == "finished")
    assert "it was stopped on request" in chromium.js("return document.getElementById('over').innerText")
    assert chromium.js("return document.getElementById('stop').disabled")
