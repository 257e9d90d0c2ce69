"""The page as people see it: in Chromium, from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from browser import Browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from siblings import siblings
from told import FIRST_AT, document, minutes, plan_of, run_of, series

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.verdict import Trust
from loadtest.core.measure.worker import Worker
from loadtest.core.result.result import RunResult

pytestmark = pytest.mark.live

Shown = Callable[..., dict[str, Any]]
KINDS = ("closed", "open", "streamed", "workers", "confirmed", "confirmed/confirm")
FIGURES = "return [...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.dataset.value, e.textContent])"
UNDRAWN = "return [...document.querySelectorAll('figure')].filter(f => f.dataset.drawn !== '1').map(f => f.id)"
HOSTILE = "</script><img src=x onerror=window.hacked=1>"


def _at(summary: Any, path: str) -> Any:
    for name in path.split("."):
        summary = summary[int(name)] if isinstance(summary, list) else summary[name]
    return summary


def _is_whole(chromium: Browser, summary: dict[str, Any]) -> None:
    """Every chart drawn, nothing said, nothing asked for, every figure that of the summary."""
    assert chromium.js(UNDRAWN) == []
    assert chromium.js("return document.querySelectorAll('.plot svg').length") > 0
    assert chromium.messages() == []
    assert [url for url in chromium.requests() if not url.startswith(("file:", "data:"))] == []
    figures = chromium.js(FIGURES)
    assert len(figures) > 15
    for path, value, text in figures:
        assert chromium.js("return JSON.parse(arguments[0])", value) == _at(summary, path), path
        assert text.strip(), path


@pytest.mark.parametrize("kind", KINDS)
def test_stored_folders(shown: Shown, chromium: Browser, stored: Callable[[str], RunResult], kind: str) -> None:
    summary = shown(stored(kind))
    _is_whole(chromium, summary)
    assert chromium.js("return document.querySelector('[data-verdict]').innerText") == summary["overall"]["answer"]
    words = chromium.js("return document.querySelector('.verdict').innerText")
    assert summary["overall"]["answer"].upper() in words
    assert summary["sentence"] in words


@pytest.mark.slow
def test_results_of_every_kind(
    shown: Shown, chromium: Browser, finish: Callable[..., RunResult], limited: Trust, result: RunResult
) -> None:
    lost = (Worker(0, "a", 0.0, 0.001), Worker(1, "b", 0.002, 0.001, True, "fell silent"))
    for each in (
        result,
        finish(Reason.USER, stopped_at_s=31.0),
        finish(Reason.ENGINE_LOST, {"why": "killed"}, log_tail=("Killed",), problems=("a window was cut",)),
        finish(trust=limited, workers=lost),
        replace(result, verdicts=(), overall=None, best=None, changes=(), environment={}, job=None),
    ):
        _is_whole(chromium, shown(each))


def test_a_run_without_windows_has_a_page(shown: Shown, chromium: Browser, finish: Callable[..., RunResult]) -> None:
    from loadtest.core.judge.decision import Stop
    from loadtest.core.result.result import build_result

    empty = build_result(finish().plan, [], Stop(Reason.ENGINE_LOST, {}))
    summary = shown(empty)
    assert chromium.js("return document.querySelector('[data-verdict]').innerText") == "failed"
    assert chromium.messages() == []
    for path, value, _ in chromium.js(FIGURES):
        assert chromium.js("return JSON.parse(arguments[0])", value) == _at(summary, path), path


def test_foreign_text_is_text(shown: Shown, chromium: Browser, result: RunResult) -> None:
    counts = replace(result.totals.counts, details={HOSTILE: 3}, errors={"timeout": 3})
    job = {**(result.job or {}), "JobName": HOSTILE, "JobDescription": HOSTILE}
    hostile = replace(
        result,
        label=HOSTILE,
        job=job,
        totals=replace(result.totals, counts=counts),
        info={**result.info, "target": HOSTILE},
        environment={"target_url": HOSTILE, HOSTILE: HOSTILE},
        problems=(HOSTILE,),
        log_tail=(HOSTILE,),
        workers=(Worker(0, HOSTILE, 0.0, 0.001, True, HOSTILE),),
        evidence={"why": HOSTILE},
    )
    shown(hostile, hostile)
    assert chromium.js("return window.hacked") is None
    assert chromium.js("return document.images.length") == 0
    assert chromium.js("return document.querySelectorAll('script').length") == 3
    assert chromium.js("return document.querySelector('h1').innerText") == HOSTILE
    assert chromium.js(UNDRAWN) == []
    assert chromium.messages() == []


def test_what_was_not_to_be_kept_is_not_there(shown: Shown, chromium: Browser, result: RunResult) -> None:
    options = {"custom_attributes": "tenant=zq81", "region": "eu-west-1", "endpoint_url": "http://me:word@host/"}
    plan = replace(result.plan, target=replace(result.plan.target, options=options))
    shown(replace(result, plan=plan))
    for private in ("zq81", "me:word"):
        assert private not in chromium.driver.page_source
    assert "--region eu-west-1" in chromium.driver.page_source


def test_light_dark_and_paper(shown: Shown, chromium: Browser, result: RunResult) -> None:
    shown(result)
    paper = "return getComputedStyle(document.querySelector('.chart')).backgroundColor"
    label = "return getComputedStyle(document.querySelector('.plot svg .role-axis-label text')).fill"
    light = chromium.js(paper), chromium.js(label)
    try:
        chromium.media(scheme="dark")
        dark = chromium.js(paper), chromium.js(label)
        assert light[0] != dark[0]
        assert light[1] != dark[1], "without a second drawing"
        chromium.media(scheme="dark", kind="print")
        assert (chromium.js(paper), chromium.js(label)) == light, "paper is white"
        assert chromium.js("return getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        chromium.media()
    assert len(chromium.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 100_000


@pytest.mark.parametrize("scheme", siblings(["dark", "light"]))
def test_axe_finds_nothing_serious(
    shown: Shown, chromium: Browser, finish: Callable[..., RunResult], limited: Trust, scheme: str
) -> None:
    chromium.media(scheme=scheme)
    try:
        shown(finish(trust=limited))
        chromium.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert chromium.axe() == []
    finally:
        chromium.media()


def _line_count(chromium: Browser, figure: str) -> int:
    return chromium.js(f"return document.querySelectorAll('#{figure} .plot svg .mark-line path[d]').length")


@pytest.mark.slow
def test_the_keyboard_reaches_legend_zoom_and_table(shown: Shown, chromium: Browser, result: RunResult) -> None:
    shown(result)
    figure = "t0-chart-latency"
    lines, axis = _line_count(chromium, figure), _axis(chromium, figure)
    here = (
        f"const e = document.activeElement; return e.closest('#{figure}') ? e.value || e.dataset.zoom || e.tagName : ''"
    )
    reached = []
    for _ in range(400):
        ActionChains(chromium.driver).send_keys(Keys.TAB).perform()
        at = chromium.js(here)
        reached += [at] if at else []
        if at == "P95":
            ActionChains(chromium.driver).send_keys(Keys.SPACE).perform()
            chromium.until(lambda: _line_count(chromium, figure) == lines - 1)
        elif at == "in":
            ActionChains(chromium.driver).send_keys(Keys.ENTER).perform()
            chromium.until(lambda: _axis(chromium, figure) != axis)
        elif at == "SUMMARY":
            ActionChains(chromium.driver).send_keys(Keys.ENTER).perform()
            break
    assert reached == ["P50", "P95", "P99", "in", "out", "left", "right", "all", "SUMMARY"]
    assert chromium.js(f"return document.querySelector('#{figure} details').open")


def _axis(chromium: Browser, figure: str) -> str:
    return str(chromium.js(f"return document.querySelector('#{figure} .plot').innerText"))


def test_a_drag_zooms_every_chart_over_time_and_all_goes_back(
    shown: Shown, chromium: Browser, result: RunResult
) -> None:
    shown(result)
    axis = "return document.querySelector('#t0-chart-{} .plot').innerText"
    whole = {name: chromium.js(axis.format(name)) for name in ("users", "throughput", "latency", "heat")}
    plot = chromium.driver.find_element("css selector", "#t0-chart-throughput .plot")
    chromium.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    ActionChains(chromium.driver).move_to_element_with_offset(plot, -200, 0).click_and_hold().move_by_offset(
        150, 0
    ).move_by_offset(10, 0).release().perform()
    for name, text in whole.items():
        chromium.until(lambda name=name, text=text: chromium.js(axis.format(name)) != text)
    chromium.js("document.querySelector('#t0-chart-users [data-zoom=all]').click()")
    for name, text in whole.items():
        chromium.until(lambda name=name, text=text: chromium.js(axis.format(name)) == text)
    assert chromium.messages() == []


def test_a_pointer_shows_the_figures_under_it(shown: Shown, chromium: Browser, result: RunResult) -> None:
    shown(result)
    plot = chromium.driver.find_element("css selector", "#t0-chart-scaling .plot")
    chromium.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    tip = "const t = document.querySelector('#vg-tooltip-element.visible'); return t ? t.innerText : ''"

    def pointed() -> bool:
        for x in (-80, -60, -40):
            ActionChains(chromium.driver).move_to_element_with_offset(plot, x, 0).perform()
        return "successes a second" in chromium.js(tip)

    chromium.until(pointed)
    assert "level" in chromium.js(tip)


@pytest.mark.slow
def test_several_tests_of_a_job(shown: Shown, chromium: Browser, finish: Callable[..., RunResult]) -> None:
    one = finish()
    other = finish(
        label="ml.c5.2xlarge", info={**one.info, "instance_type": "ml.c5.2xlarge", "price_per_hour_usd": 0.5}
    )
    shown(one, other)
    assert chromium.js(UNDRAWN) == []
    assert chromium.js("return document.querySelectorAll('article').length") == 2
    assert chromium.js("return document.querySelectorAll('#-chart-front svg').length") == 1
    rows = chromium.js("return [...document.querySelectorAll('#job tbody tr')].map(r => r.innerText)")
    assert any("ml.c5.2xlarge" in row for row in rows)
    ids = chromium.js("return [...document.querySelectorAll('[id]')].map(e => e.id).filter(i => i)")
    assert len(ids) == len(set(ids))


def test_minutes_that_cloudwatch_told_late_are_drawn_and_those_it_never_told_are_gaps(
    shown: Shown, chromium: Browser
) -> None:
    told = minutes(12, lambda i: [30_000 + 1000 * i] * 1200)
    cpu = series("CPUUtilization", [{"at": FIRST_AT + 60 * i, "Average": 20.0 + i} for i in range(12)])
    for each in (*told, cpu):
        del each["points"][5:7]
    result = run_of(
        plan_of(steps=2, level_s=300), lambda s: 60.0, document(*told, cpu, missing=[FIRST_AT + 300], waited_s=1.0)
    )
    _is_whole(chromium, shown(result))
    lines = "return [...document.querySelectorAll('#t0-chart-' + arguments[0] + ' .mark-line path')].map(p => p.getAttribute('d'))"
    for chart, count in (("service", 6), ("usage", 1)):
        drawn = chromium.js(lines, chart)
        assert len(drawn) == count
        assert all(path.count("M") == 2 for path in drawn), "a line is not drawn through what nobody told"
    # A point for each minute that was told, at its place on the run's own axis: the two that are not there leave room.
    points = "return [...document.querySelectorAll('#t0-chart-usage .mark-symbol')].map(g => [...g.children].map(p => p.transform.baseVal[0].matrix.e))"
    (at,) = (sorted(each) for each in chromium.js(points) if len(each) == 10)
    apart = [round((after - before) / (at[1] - at[0]), 2) for before, after in pairwise(at)]
    assert apart == [1, 1, 1, 1, 3, 1, 1, 1, 1]
