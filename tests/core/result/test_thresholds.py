"""`p95<200ms` and its like: read, and judged by the statistics that judge the job."""

from __future__ import annotations

import json

import pytest
from pairs import stairs_run
from windows import changed

from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import Threshold, judge_thresholds, parse_threshold
from loadtest.errors import SpecError


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("p95<200ms", Threshold("p95<200ms", "latency", 200.0, 0.95)),
        (" P99.9 <= 1.5 s ", Threshold("P99.9<=1.5s", "latency", 1500.0, 0.999)),
        ("error_rate<1%", Threshold("error_rate<1%", "error_rate", 0.01)),
        ("error_rate<0.02", Threshold("error_rate<0.02", "error_rate", 0.02)),
        ("rate>500/s", Threshold("rate>500/s", "rate", 500.0)),
        ("rate>=600/min", Threshold("rate>=600/min", "rate", 10.0)),
    ],
)
def test_read(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a threshold"),
        ("p95", "is not a threshold"),
        ("mean<200ms", "is not a threshold"),
        ("p95>200ms", "below a limit: use <"),
        ("rate<500/s", "above a limit: use >"),
        ("p95<200", "the unit of p95 is ms or s"),
        ("p95<200%", "the unit of p95 is ms or s"),
        ("rate>500", "the unit of rate is /s or /min"),
        ("error_rate<1ms", "the unit of error_rate is %"),
        ("p100<5ms", "between 0 and 100"),
        ("p0<5ms", "between 0 and 100"),
        ("p95<0ms", "out of range"),
        ("error_rate<100%", "out of range"),
    ],
)
def test_not_read(text: str, said: str) -> None:
    with pytest.raises(SpecError, match="--threshold") as problem:
        parse_threshold(text)
    assert said in str(problem.value)


RUN = stairs_run()
FAILING = stairs_run(more=",error_ratio=0.05")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("p95<150ms", "met"),
        ("p95<60ms", "not met"),
        ("p50<30ms", "not met"),
        ("p50<100ms", "met"),
        ("p99.99<150ms", "undecided"),
        ("error_rate<1%", "met"),
        ("error_rate<0.1%", "undecided"),
        ("rate>50/s", "met"),
        ("rate>120/s", "not met"),
        ("rate>96/s", "undecided"),
        ("rate>3000/min", "met"),
    ],
)
def test_judged(text: str, answer: str) -> None:
    (verdict,) = RUN.judged([parse_threshold(text)]).thresholds
    assert (verdict.text, verdict.answer) == (text, answer), verdict


@pytest.mark.parametrize(
    ("text", "answer"), [("error_rate<1%", "not met"), ("error_rate<10%", "met"), ("error_rate<5%", "undecided")]
)
def test_failures(text: str, answer: str) -> None:
    (verdict,) = FAILING.judged([parse_threshold(text)]).thresholds
    assert verdict.answer == answer, verdict
    assert verdict.measured == pytest.approx(0.05, abs=0.01)
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < 0.05 < verdict.high


def test_failures_are_over_every_latency() -> None:
    (verdict,) = FAILING.judged([parse_threshold("p99<10s")]).thresholds
    assert verdict.answer == "not met", "5 % failed, and a P99 allows 1 %"


def test_a_rate_counts_where_the_latency_holds() -> None:
    slow = stairs_run(limit_ms=70, steps=4, length_s=60)
    assert slow.reason.value == "LATENCY"
    (all_levels,) = slow.judged([parse_threshold("rate>90/s")]).thresholds
    assert all_levels.measured is not None


def test_nothing_measured_is_undecided() -> None:
    empty = [changed(window, ok=0, errors={}, latency="", model_latency="") for window in RUN.windows]
    for text in ("p95<1s", "error_rate<1%", "rate>1/s"):
        (verdict,) = judge_thresholds([parse_threshold(text)], RUN.plan, empty)
        assert verdict.answer == "undecided", text
        assert verdict.why


def test_it_agrees_with_the_job_s_own() -> None:
    """The same limit as the job's threshold gives the same answer."""
    for limit_ms in (60, 150):
        run = stairs_run(limit_ms=limit_ms)
        assert run.overall is not None
        (verdict,) = run.judged([parse_threshold(f"p95<{limit_ms}ms")]).thresholds
        assert verdict.answer == run.overall.answer


def test_gate_and_strict_obey_them() -> None:
    judged = {
        answer: RUN.judged([parse_threshold(text)])
        for answer, text in (("met", "p95<150ms"), ("not met", "rate>120/s"), ("undecided", "rate>96/s"))
    }
    codes = {
        answer: (
            exit_code(result, gate=False, strict=False),
            exit_code(result, gate=True, strict=False),
            exit_code(result, gate=False, strict=True),
        )
        for answer, result in judged.items()
    }
    assert codes == {"met": (0, 0, 0), "not met": (0, 99, 0), "undecided": (0, 0, 3)}


def test_they_are_kept_with_the_result() -> None:
    judged = RUN.judged([parse_threshold("p95<150ms"), parse_threshold("rate>96/s")])
    again = RunResult.from_dict(json.loads(json.dumps(judged.to_dict())))
    assert again.thresholds == judged.thresholds
    assert RunResult.from_dict(json.loads(json.dumps(RUN.to_dict()))).thresholds == ()
