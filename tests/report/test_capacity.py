"""What reports say of a capacity: of a search, and of the levels of an ordinary run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from places import ROOT
from rich.console import Console

import loadtest
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import LatencyThreshold, RunOptions, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.search.capacity import FINDINGS, Capacity, Finding, Margin, More
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, search_plan
from loadtest.engine.sim import simulate
from loadtest.report.capacity_words import held_answer
from loadtest.report.describe import describe
from loadtest.report.html.page import page_of
from loadtest.report.markdown import run_markdown
from loadtest.report.summary import summary_of
from loadtest.report.terminal import summary

LEVEL_S = 10.0


def stairs(users: Sequence[int]) -> RunResult:
    steps = tuple(Step(LEVEL_S * i, n) for i, n in enumerate(users))
    stop = StopConditions(latency=LatencyThreshold(0.95, 60), flat_stops=False)
    return simulate(Plan(TrafficCurve(steps, LEVEL_S * len(steps)), stop, TargetRef("mock:servers=4,service_ms=20")))


@pytest.fixture(scope="module")
def result() -> RunResult:
    return stairs(range(10, 15))


def shown(result: RunResult) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(summary(result))
    return " ".join(out.getvalue().split())


def test_a_terminal_has_it_beside_the_best_rate(result: RunResult) -> None:
    text = shown(result)
    assert text.startswith("NOT MET"), "the verdict goes first, as ever"
    assert "Capacity 12 users (12 .. 12, nominal 95 %), " in text
    assert "shown to meet at 12 users; shown to break at 13 users" in text


def test_a_page_has_the_line_and_the_band(result: RunResult) -> None:
    (section,) = page_of([result]).sections
    assert section.answer == "not met"
    said = ["".join(words.text for words in sentence.words) for sentence in section.head]
    assert any(line.startswith("Capacity 12 users") for line in said)
    drawn = {chart.name: str(chart.spec) for chart in section.charts}
    assert all("12 .. 12 users, nominal 95 %" in drawn[name] for name in ("scaling", "latency-users"))


def test_the_summary_has_it_and_what_describe_answers_does_not_change(result: RunResult) -> None:
    found = summary_of(result)["capacity"]
    assert (found["finding"], found["low"], found["high"], found["clock"]) == ("found", 12.0, 12.0, "model")
    assert describe([result], created_at=1.0) == describe([replace(result, capacity=None)], created_at=1.0)


def test_levels_that_all_meet_it_say_at_least() -> None:
    assert "Capacity 9 users or more: the highest load that was held meets the objective" in shown(stairs([5, 9]))


SAID: dict[Finding, tuple[Capacity, str]] = {
    "found": (Capacity("found", load=12, low=11, high=13, per_min=900), "12 users (11 .. 13, nominal 95 %), 900 inv"),
    "above max": (Capacity("above max", low=9), "9 users or more: the highest load that was held"),
    "below start": (Capacity("below start", shown_broken=2), "below 2 users: the first load breaks"),
    "between levels": (Capacity("between levels", low=10, high=19), "10 .. 19 users, nominal 95 %: one load meets"),
    "too short": (Capacity("too short", low=10), "at least 10 users: a load seems to break"),
    "undecided": (
        Capacity("undecided"),
        "(the largest load within the limit) takes longer levels than these to show; ",
    ),
    "drifting": (Capacity("drifting"), "not known: the endpoint became slower or faster while the load rose"),
    "scaling out": (Capacity("scaling out"), "not known: the endpoint took much more"),
    "throttled": (Capacity("throttled"), "not known: the endpoint refuses"),
    "generator limited": (Capacity("generator limited"), "not known: the generator"),
}


@pytest.mark.parametrize("finding", SAID)
def test_each_finding_of_levels_is_a_sentence(finding: Finding) -> None:
    found, begins = SAID[finding]
    assert held_answer(found).startswith(begins)
    assert set(FINDINGS) - set(SAID) == {"searching", "budget"}, "those are of searches alone"


def test_short_levels_beside_a_verdict_say_what_would_tell() -> None:
    """Stairs that are all met are no contradiction: a capacity asks for more than a verdict."""
    result = loadtest.simulate(str(ROOT / "scenarios/quickstart.json"))
    assert result.overall is not None
    assert result.overall.answer == "met"
    text = shown(result)
    assert "not known" not in text
    assert (
        "Capacity (the largest load within the limit) takes longer levels than these to show; `loadtest capacity`"
        in text
    )
    found = held_answer(Capacity("undecided", low=3, shown_met=3))
    assert found == "at least 3 users; more takes longer levels than these to show; `loadtest capacity` searches for it"


def test_a_run_without_a_success_says_nothing_of_a_capacity(result: RunResult) -> None:
    totals = replace(result.totals, counts=replace(result.totals.counts, ok=0))
    silent = replace(result, totals=totals)
    assert "Capacity" in shown(result)
    assert "Capacity" not in shown(silent)
    assert "Capacity" not in run_markdown(silent)


def test_what_would_narrow_it_and_what_binds_is_said(result: RunResult) -> None:
    margins = (Margin("P95 <= 60 ms"), Margin("errors <= 1 %"))
    found = Capacity(
        "found", load=12, low=10, high=14, margins=margins, binding="P95 <= 60 ms", more=More(0.05, 60, 9000)
    )
    text = shown(replace(result, capacity=found))
    assert "P95 <= 60 ms binds; about 1 min and 9,000 requests more would narrow it to 5.0 %" in text


def test_a_search_tells_its_objectives_loads_and_cost() -> None:
    found = loadtest.capacity(
        "mock:servers=4,service_ms=20",
        thresholds=["p95<60ms", "error_rate<1%"],
        virtual=True,
        options=RunOptions(latency_clock="client"),
    )
    text = shown(found)
    for part in (
        "CAPACITY 12 users (12 .. 12, nominal 95 %), 12,000 invocations/min",
        "shown to meet at 12 users; shown to break at ",
        "throughput levels out at ",
        "P95 <= 60 ms, which binds",
        "errors <= 1 %: 0 % failed at the capacity, 1.0 % may",
        "spent: ",
        "of it above the capacity",
    ):
        assert part in text, part
    assert "latencies are the model's own" not in text
    assert "latencies are the model's own" in shown(
        loadtest.capacity("mock:servers=4", thresholds=["p95<60ms"], virtual=True)
    )


def test_a_search_for_the_plateau_speaks_of_throughput() -> None:
    any_plan = Plan(TrafficCurve((Step(0.0, 1),), 1.0), StopConditions(), TargetRef("mock:servers=4,service_ms=20"))
    asked = SearchSettings(goal="plateau", max_error_ratio=0.01, max_load=48)
    found = simulate(search_plan(any_plan, asked))
    text = shown(found)
    for part in (
        "CAPACITY 4 users (",
        "no more throughput at 8 users",
        "throughput grows, which binds: alone up to 4 users",
    ):
        assert part in text, part
    assert "shown to" not in text
    few = shown(simulate(search_plan(any_plan, SearchSettings(goal="plateau", max_load=2))))
    assert "UNDECIDED above max: throughput still grew at the highest load that was allowed" in few
    assert "the best so far is 2 users, 6,0" in few


def test_a_budget_that_is_over_leaves_the_interval_and_what_it_is_worth() -> None:
    found = loadtest.capacity("mock:servers=4,service_ms=20", thresholds=["p95<60ms"], virtual=True)
    wide = Capacity("budget", load=12, low=10, high=15, per_min=12_000)
    text = shown(replace(found, capacity=wide))
    assert "UNDECIDED budget: the time was over" in text
    assert "known so far: 12 users (10 .. 15, nominal 95 %)" in text


def test_as_many_invocations_as_are_wanted_are_reached() -> None:
    found = loadtest.capacity("mock:servers=4,service_ms=20", thresholds=["p95<60ms"], virtual=True)
    assert found.plan.search is not None
    wanted = replace(found.plan.search, max_invocations_per_min=7500)
    bound = Capacity("found", load=2, low=2, high=2, per_min=6000, per_min_low=6000, per_min_high=6000)
    plan = replace(found.plan, search=wanted)
    said = shown(replace(found, plan=plan, capacity=replace(bound, binding="7,500 invocations/min")))
    assert "MaxInvocations 7,500/min: reached" in said
    said = shown(replace(found, plan=plan, capacity=replace(bound, binding="P95 <= 60 ms")))
    assert "MaxInvocations 7,500/min: not reached" in said


def test_a_search_that_ran_out_of_time_says_what_more_would_give() -> None:
    found = loadtest.capacity("mock:servers=4", thresholds=["p95<60ms", "error_rate<1%"], virtual=True, budget_s=12)
    told = Capacity(
        "budget", low=10, high=14, shown_met=8, shown_broken=16, binding="P95 <= 60 ms", more=More(0.05, 90, 18_000)
    )
    margins = (Margin("P95 <= 60 ms", 12.0, 10, 14, 0.02, 0.05), Margin("errors <= 1 %", share=0.0, allowed=0.01))
    text = shown(replace(found, capacity=replace(told, margins=margins)))
    for part in (
        "UNDECIDED budget: the time was over before the interval was as narrow as was asked for",
        "known so far: 10 .. 14 users, nominal 95 %",
        "shown to meet at 8 users; shown to break at 16 users",
        "P95 <= 60 ms, which binds: alone up to 12 users",
        "about 1 min 30 s and 18,000 requests more would narrow it to 5.0 %",
    ):
        assert part in text, part
    said = " ".join(
        words.text for sentence in page_of([replace(found, capacity=told)]).sections[0].head for words in sentence.words
    )
    assert "18,000 requests more would narrow it" in said, "the page begins with the same lines"


def test_a_search_without_a_number_says_nothing_of_a_rate_or_a_capacity_that_it_did_not_find() -> None:
    text = shown(loadtest.capacity("mock:servers=4", thresholds=["p95<60ms"], virtual=True, max_users=2))
    assert "UNDECIDED above max" in text
    assert "P95 <= 60 ms" in text
    for untrue in ("at the capacity", "No rate of invocations held"):
        assert untrue not in text


def test_markdown_has_it_too(result: RunResult) -> None:
    assert "\nCapacity 12 users (12 .. 12, nominal 95 %), " in run_markdown(result)
