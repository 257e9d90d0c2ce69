"""The page of a comparison as people see it: in Chromium, from a file that `loadtest compare` wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import Browser
from click.testing import CliRunner
from pairs import stairs_run
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from loadtest.cli import main
from loadtest.report.whole import whole_folder

pytestmark = pytest.mark.live

HOSTILE = "x<img src=x onerror=window.hacked=1>"
UNDRAWN = "return [...document.querySelectorAll('figure')].filter(f => f.dataset.drawn !== '1').map(f => f.id)"
FIGURES = "return [...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.dataset.value])"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """(compare.html of two repeats against a slower run and one of the same, the comparison as JSON)."""
    place = tmp_path_factory.mktemp("runs")
    made = {"a1": (1, 40.0), "a2": (2, 40.0), "b1": (4, 46.0), HOSTILE: (5, 40.0)}
    for number, (name, (seed, service_ms)) in enumerate(made.items()):
        result = stairs_run(seed, service_ms=service_ms)
        whole_folder(place, result, 1_760_000_000.0 + 60 * number).path.rename(place / name)
    html = place / "compare.html"
    sides = [f"{place / 'a1'},{place / 'a2'}", str(place / "b1"), str(place / HOSTILE)]
    done = CliRunner().invoke(main, ["compare", *sides, "--json", "--html", str(html)])
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return html, json.loads(done.stdout)


def _at(values, path: str):
    for name in path.split("."):
        values = values[int(name)] if isinstance(values, list) else values[name]
    return values


def test_it_is_whole_and_asks_for_nothing(chromium: Browser, page: tuple[Path, dict]) -> None:
    html, found = page
    assert html.stat().st_size < 1_500_000
    chromium.open(html.as_uri())
    assert chromium.js(UNDRAWN) == []
    assert chromium.js("return document.querySelectorAll('.plot svg').length") >= 16
    assert chromium.messages() == []
    assert [url for url in chromium.requests() if not url.startswith(("file:", "data:"))] == []
    assert chromium.js("return window.hacked") is None
    assert chromium.js("return document.images.length") == 0
    answers = chromium.js("return [...document.querySelectorAll('[data-verdict]')].map(e => e.innerText)")
    assert answers == [entry["answer"] for entry in found["comparisons"]]
    figures = chromium.js(FIGURES)
    assert len(figures) > 100
    for path, value in figures:
        assert json.loads(value) == _at(found, path), path
    ids = chromium.js("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Browser, page: tuple[Path, dict], scheme: str) -> None:
    chromium.media(scheme=scheme)
    try:
        chromium.open(page[0].as_uri())
        chromium.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert chromium.axe() == []
    finally:
        chromium.media()


def test_the_keyboard_switches_a_side_off(chromium: Browser, page: tuple[Path, dict]) -> None:
    chromium.open(page[0].as_uri())
    figure = "c0-chart-throughput-users"
    count = f"return document.querySelectorAll('#{figure} .plot svg .mark-line path[d]').length"
    lines = chromium.js(count)
    chromium.js(f"document.querySelector('#{figure} .legend input').focus()")
    ActionChains(chromium.driver).send_keys(Keys.SPACE).perform()
    chromium.until(lambda: chromium.js(count) == lines - 1)
    ActionChains(chromium.driver).send_keys(Keys.SPACE).perform()
    chromium.until(lambda: chromium.js(count) == lines)
    assert chromium.messages() == []
