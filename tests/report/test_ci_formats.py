"""junit.xml and the Markdown summary: a case for each thing asked, and nothing that an endpoint says breaks them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.verdict import Trust
from loadtest.core.result.confirmation import unconfirmed
from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import ThresholdVerdict
from loadtest.report.checks import checks_of, interval_words
from loadtest.report.junit import junit_xml
from loadtest.report.markdown import run_markdown

Finish = Callable[..., RunResult]
MET = ThresholdVerdict("p95<200ms", "met", 200.0, None, 23.9, 24.1, "by evidence")
NOT_MET = ThresholdVerdict("rate>500/s", "not met", 500.0, 120.0, 118.0, 122.0, "the highest level")
UNDECIDED = ThresholdVerdict("error_rate<1%", "undecided", 0.01, 0.001, 0.0, 0.02, "13 failed")


def outcomes(result: RunResult) -> dict[str, tuple[str, str]]:
    return {check.name: (check.outcome, check.answer) for check in checks_of(result)}


def test_every_stop_condition_and_trust_is_a_check(result: RunResult) -> None:
    assert outcomes(result) == {
        "the run came to its end": ("passed", "CURVE_END"),
        "P95 of latency at most 100 ms": ("passed", "met"),
        "10,000 invocations a minute": ("skipped", "not reached"),
        "flat throughput": ("skipped", "not found"),
        "the result can be trusted": ("passed", "VALID"),
    }


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (Reason.USER, "skipped"),
        (Reason.TARGET_DOWN, "error"),
        (Reason.ENGINE_LOST, "error"),
        (Reason.JOB_DURATION, "passed"),
    ],
)
def test_how_a_run_ended(finish: Finish, reason: Reason, outcome: str) -> None:
    assert outcomes(finish(reason))["the run came to its end"] == (outcome, reason.value)


def test_what_ended_it_is_said_of_its_condition(finish: Finish) -> None:
    assert outcomes(finish(Reason.FLAT))["flat throughput"] == ("passed", "found")
    assert outcomes(finish(Reason.MAX_INVOCATIONS))["10,000 invocations a minute"] == ("passed", "reached")


def test_thresholds_confirmation_and_trust(result: RunResult, limited: Trust) -> None:
    found = outcomes(
        replace(result, thresholds=(MET, NOT_MET, UNDECIDED), trust=limited, confirmation=unconfirmed(0.8, "not tried"))
    )
    assert found["p95<200ms"] == ("passed", "met")
    assert found["rate>500/s"] == ("failed", "not met")
    assert found["error_rate<1%"] == ("skipped", "undecided")
    assert found["the best rate holds"] == ("skipped", "undecided")
    assert found["the result can be trusted"] == ("error", "INVALID")


def test_a_verdict_that_is_not_met_or_undecided(result: RunResult) -> None:
    assert result.overall is not None
    name = "P95 of latency at most 100 ms"
    assert outcomes(replace(result, overall=replace(result.overall, answer="not met")))[name] == ("failed", "not met")
    undecided = replace(result, overall=replace(result.overall, answer="undecided"))
    assert outcomes(undecided)[name] == ("skipped", "undecided")
    assert outcomes(replace(result, overall=None))[name] == ("skipped", "undecided")


def test_an_error_budget(finish: Finish, result: RunResult) -> None:
    stop = replace(result.plan.stop, max_error_ratio=0.01)
    for reason, expected in ((Reason.CURVE_END, "passed"), (Reason.ERRORS, "failed")):
        run = finish(reason)
        run = replace(run, plan=replace(run.plan, stop=stop))
        assert outcomes(run)["at most 1.0 % of requests fail"][0] == expected


def test_junit_counts_add_up(result: RunResult, limited: Trust) -> None:
    root = ElementTree.fromstring(junit_xml(replace(result, thresholds=(MET, NOT_MET, UNDECIDED), trust=limited)))
    assert root.tag == "testsuites"
    for counted in (root, *root):
        cases = [*counted.iter("testcase")]
        assert int(counted.get("tests", "")) == len(cases)
        assert int(counted.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
        assert int(counted.get("errors", "")) == sum(case.find("error") is not None for case in cases)
        assert int(counted.get("skipped", "")) == sum(case.find("skipped") is not None for case in cases)
    assert [suite.get("name") for suite in root] == ["run", "stop conditions", "thresholds", "trust"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "not met: 120/s (118 .. 122/s); the highest level"


@pytest.mark.parametrize("text", ["a\x00b\x1b[31m", "</testcase>", "]]>", '"quoted" & <tags>', "\ud800", "line\nline"])
def test_junit_holds_whatever_an_endpoint_says(result: RunResult, text: str) -> None:
    found = replace(result, label=text, thresholds=(replace(UNDECIDED, why=text),))
    root = ElementTree.fromstring(junit_xml(found).encode("utf-8", "strict"))
    assert root.get("name") is not None


def test_markdown(result: RunResult, limited: Trust) -> None:
    nasty = replace(UNDECIDED, why="a | b <script>\n`x`")
    text = run_markdown(replace(result, thresholds=(NOT_MET, nasty), trust=limited))
    assert "<script>" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    unescaped = [line.replace("\\|", "").count("|") for line in tables]
    assert set(unescaped) == {5, 7}
    assert "| :x: | rate&gt;500/s | not met | 120/s (118 .. 122/s); the highest level |" in tables
    assert any(
        line.startswith("| :warning: | the result can be trusted | INVALID | the generator used") for line in tables
    )
    assert "Best rate **" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (MET, "23.9 .. 24.1 ms"),
        (NOT_MET, "120/s (118 .. 122/s)"),
        (UNDECIDED, "0.10 % (0 % .. 2.0 %)"),
        (replace(MET, high=None), "23.9 .. ? ms"),
        (replace(MET, low=None, high=None), ""),
    ],
)
def test_what_was_measured_in_words(verdict: ThresholdVerdict, words: str) -> None:
    assert interval_words(verdict) == words
