"""The report's sections of a run that goes on."""

from __future__ import annotations

import json
from dataclasses import replace

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.live import live_charts
from loadtest.report.html.page import page_of
from loadtest.report.html.render import render_so_far
from loadtest.report.html.sofar import section_so_far
from loadtest.web import feed
from loadtest.web.feed import Feed

ABOUT = {"label": "bert"}


def test_it_is_the_report_without_what_only_the_end_knows(plan: Plan, windows: list[Window], result: RunResult) -> None:
    drawn = [chart.name for chart in live_charts(plan)]
    so_far, report = section_so_far(plan, windows, ABOUT, drawn), page_of([result]).sections[0]
    assert [part.name for part in so_far.parts] == [part.name for part in report.parts]
    for mine, theirs in zip(so_far.parts, report.parts, strict=True):
        left_out = {"lateness", *(drawn if mine.name == "time" else ())}
        assert [c.name for c in mine.charts] == [c.name for c in theirs.charts if c.name not in left_out], mine.name
    text = " ".join(sentence.text for sentence in so_far.head)
    assert "P95 of latency at most 100 ms" in text
    assert "Ended" not in text
    (happened,) = [table for part in so_far.parts for name, table in part.tables if name == "What happened"]
    assert {row[1].text for row in happened.rows} == {"verdict"}
    assert "Began" not in dict(so_far.facts)
    assert dict(so_far.facts)["So far"] == "2 min 1 s"


def test_without_a_threshold_nothing_is_done_yet(plan: Plan, windows: list[Window]) -> None:
    head = section_so_far(replace(plan, stop=StopConditions()), windows[:50], ABOUT, []).head
    assert "DONE" not in " ".join(sentence.text for sentence in head)


def test_one_window_is_enough(plan: Plan, windows: list[Window]) -> None:
    told = json.loads(render_so_far(plan, windows[:1], ABOUT))
    assert told["windows"] == 1
    assert 'data-part="levels"' in told["html"]
    json.loads(told["groups"])


def test_it_is_made_again_when_it_has_rested(plan: Plan, windows: list[Window]) -> None:
    now_s = 0.0
    found = Feed(plan, ABOUT, lambda: now_s)
    assert found.so_far(0) is None, "nothing was measured"
    found.window(windows[0])
    first = found.so_far(0)
    assert first is not None
    assert json.loads(first)["windows"] == 1
    assert found.so_far(1) is None, "the reader has it"
    found.window(windows[1])
    assert found.so_far(0) == first, "too early to make it again"
    now_s = feed.LEAST_S
    again = found.so_far(1)
    assert again is not None
    assert json.loads(again)["windows"] == 2
