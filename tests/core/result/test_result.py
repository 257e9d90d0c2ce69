"""What is built from a run's windows, that it survives JSON, and the exit codes as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from results import result_with
from windows import changed, flat_frame, flat_window

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.verdict import LatencyVerdict, Trust, TrustReason
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, RunOptions, Stairs, StopConditions
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import SCHEMA_VERSION, RunResult
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

TRUSTED = Trust(valid=True, client_limited=False)
P95_100 = LatencyThreshold(0.95, 100)
CHANGES = (UserChange(0, "start", 0.0, 0.002), UserChange(1, "start", 0.0, 0.004), UserChange(1, "stop", 60.0, 60.02))


def plan_of(threshold: LatencyThreshold | None = P95_100, **options: float | str) -> Plan:
    """3 steps of 2 users, 60 s each."""
    return Plan(
        curve_of(Stairs(2, 3, 180)),
        StopConditions(latency=threshold),
        TargetRef("mock:"),
        options=RunOptions(**options),  # type: ignore[arg-type]
    )


def run(plan: Plan, latencies_ms: Iterable[int], model: bool = False, drain: int = 0) -> list[Window]:
    """A window a second: every user makes ten requests of that second's latency. drain: windows after the end."""
    levels, recorder, windows = plan_levels(plan), Recorder(100_000_000), []
    for i, ms in enumerate(latencies_ms):
        users = plan.curve.users_at(i)
        for _ in range(10 * users):
            recorder.record(Outcome(Kind.OK, 200, 7, 0, 0, ms * 1_000_000, 500 * ms if model else None))
        windows.append(
            recorder.take(flat_frame(i, i, i + 1.0, level_of(levels, i, i + 1.0), users, users, users, spawned=2))
        )
    for i in range(len(windows), len(windows) + drain):
        recorder.record(Outcome(Kind.CUT, 0, 0, 0, 0, 10**9, detail="at the drain limit"))
        windows.append(recorder.take(flat_frame(i, i, i + 1.0, None, 0, 0, 0.0)))
    return windows


def test_what_a_run_to_the_end_says() -> None:
    plan = plan_of()
    result = result_with(plan, run(plan, [20] * 180, drain=2), Stop(Reason.CURVE_END), trust=TRUSTED, starts=CHANGES)
    assert [(level.users, level.throughput_per_s, level.windows) for level in result.levels] == [
        (2, 20.0, 60),
        (4, 40.0, 60),
        (6, 60.0, 60),
    ]
    assert (result.totals.ok, result.totals.errors, result.totals.cut) == (60 * 120, 2, 2)
    assert result.totals.counts.details == {"cut at the drain limit": 2}
    assert result.totals.length_s == 182
    assert result.totals.counts.bytes_in == 7 * 7200
    assert result.totals.latencies.client.p999_ms == result.totals.latencies.client.max_ms == 20.0
    assert result.max_invocations_per_min == 3600, "60 a second in the last level"
    assert result.best is not None
    assert (result.best.level, result.estimated) == (2, False)
    assert result.schedule.max_lag_ms == pytest.approx(4)
    assert result.latency.clock == "client"
    assert result.model_latency_ms == pytest.approx(20, rel=1e-3)


def test_the_latency_belongs_to_the_best_rate() -> None:
    plan = plan_of(None)
    result = result_with(plan, run(plan, [10] * 60 + [30] * 60 + [90] * 60), Stop(Reason.CURVE_END))
    assert result.best is not None
    assert result.best.level == 2
    assert result.latency.measured_ms == pytest.approx(90, rel=1e-3)
    assert result.latency.percentile == 0.95, "P95 where the job names none"


def test_a_latency_stop_reports_the_threshold_and_keeps_the_measured_value() -> None:
    plan = plan_of()
    not_met = LatencyVerdict("not met", 0.95, 100, "client", 2, 600, 600)
    windows = run(plan, [20] * 60 + [40] * 60 + [300] * 10)
    result = result_with(plan, windows, Stop(Reason.LATENCY), verdicts=[not_met], overall=not_met, trust=TRUSTED)
    assert result.max_invocations_per_min == 2400, "the level that broke the condition does not count"
    assert (result.model_latency_ms, result.latency.clamped) == (100, True)
    assert result.latency.measured_ms == pytest.approx(40, rel=1e-3)


def test_when_no_load_held_the_conditions_there_is_no_rate() -> None:
    plan = plan_of()
    result = result_with(plan, run(plan, [300] * 70), Stop(Reason.LATENCY), trust=TRUSTED)
    assert (result.best, result.max_invocations_per_min, result.estimated) == (None, None, False)
    assert result.model_latency_ms == 100
    assert result.latency.measured_ms == pytest.approx(300, rel=1e-3)


@pytest.mark.parametrize(
    ("clock", "told", "expected", "ms"),
    [
        ("auto", True, "model", 10),
        ("model", True, "model", 10),
        ("client", True, "client", 20),
        ("auto", False, "client", 20),
    ],
)
def test_the_clock_is_the_one_asked_for_where_the_endpoint_tells_it(
    clock: str, told: bool, expected: str, ms: float
) -> None:
    plan = plan_of(latency_clock=clock)
    result = result_with(plan, run(plan, [20] * 60, model=told), Stop(Reason.CURVE_END))
    assert result.latency.clock == expected
    assert result.latency.measured_ms == pytest.approx(ms, rel=1e-3)


def test_a_short_run_gives_an_estimate() -> None:
    plan = plan_of()
    result = result_with(plan, run(plan, [20] * 12), Stop(Reason.USER), trust=TRUSTED)
    assert (result.max_invocations_per_min, result.estimated) == (1200, True)


def test_windows_after_the_stop_are_no_traffic() -> None:
    plan = plan_of()
    windows = run(plan, [20] * 70)
    whole = result_with(plan, windows, Stop(Reason.USER), stopped_at_s=70.0)
    early = result_with(plan, windows, Stop(Reason.USER), stopped_at_s=60.0)
    assert (whole.max_invocations_per_min, early.max_invocations_per_min) == (1400, 1200)
    assert whole.totals == early.totals


def test_the_order_in_which_windows_arrive_does_not_matter() -> None:
    plan = plan_of()
    windows = run(plan, [20] * 65)
    assert result_with(plan, windows[::-1], Stop(Reason.USER)) == result_with(plan, windows, Stop(Reason.USER))


def test_a_run_without_a_window_is_a_result_too() -> None:
    result = result_with(plan_of(), [], Stop(Reason.ENGINE_LOST, {"why": "killed"}), log_tail=["boom"])
    assert (result.levels, result.best, result.totals.ok, result.totals.latencies.client.p50_ms) == ((), None, 0, None)
    assert result.log_tail == ("boom",)
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_json_and_back_is_the_same_result() -> None:
    plan = plan_of()
    verdict = LatencyVerdict("met", 0.95, 100, "client", 0, 1200, 3, 900.5, 19.0, None, "sequence", 31.0)
    result = result_with(
        plan,
        run(plan, [20, 30, 40] * 30, model=True, drain=1),
        Stop(
            Reason.MAX_INVOCATIONS,
            {"rate_per_min": np.float64(1200.5), "n": np.int64(3), "pair": (1, 2), "gap": np.nan},
        ),
        verdicts=[verdict],
        overall=replace(verdict, level=None),
        trust=Trust(False, True, (TrustReason("cpu", "97 % of a core", "use two"),), {"cpu": 0.97}),
        starts=CHANGES,
        job={"JobName": "x", "InputConfig": {"Endpoints": [{"EndpointName": "e"}]}},
        label="ml.c5.xlarge",
        info={"environment": {"A": "1"}},
        environment={"python": "3.11"},
        started_at=1.7e9 + 0.123456,
        stopped_at_s=90.00123,
        not_run=("b",),
        problems=("p",),
        log_tail=("l",),
    )
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert RunResult.from_dict(json.loads(text)) == result
    assert json.loads(text)["schema_version"] == SCHEMA_VERSION
    assert result.evidence == {"rate_per_min": 1200.5, "n": 3, "pair": [1, 2], "gap": None}


def test_another_schema_version_is_refused() -> None:
    values = result_with(plan_of(), [], Stop(Reason.USER)).to_dict()
    with pytest.raises(ValueError, match="schema_version is 99"):
        RunResult.from_dict({**values, "schema_version": 99})


LIMITED = Trust(valid=False, client_limited=True)
MET, NOT_MET, UNDECIDED = (LatencyVerdict(answer, 0.95, 100, "client") for answer in ("met", "not met", "undecided"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "overall", "trust", "plain_code", "gate", "strict", "both"),
    [
        (Reason.CURVE_END, MET, TRUSTED, 0, 0, 0, 0),
        (Reason.MAX_INVOCATIONS, MET, TRUSTED, 0, 0, 0, 0),
        (Reason.FLAT, MET, TRUSTED, 0, 0, 0, 0),
        (Reason.JOB_DURATION, MET, TRUSTED, 0, 0, 0, 0),
        (Reason.LATENCY, NOT_MET, TRUSTED, 0, 99, 0, 99),
        (Reason.CURVE_END, NOT_MET, TRUSTED, 0, 99, 0, 99),
        (Reason.CURVE_END, UNDECIDED, TRUSTED, 0, 0, 3, 3),
        (Reason.CURVE_END, None, TRUSTED, 0, 0, 3, 3),
        (Reason.CURVE_END, MET, LIMITED, 0, 0, 3, 3),
        (Reason.LATENCY, NOT_MET, LIMITED, 0, 99, 3, 3),
        (Reason.ERRORS, NOT_MET, LIMITED, 1, 1, 1, 1),
        (Reason.TARGET_DOWN, None, TRUSTED, 1, 1, 1, 1),
        (Reason.ENGINE_LOST, MET, LIMITED, 1, 1, 1, 1),
        (Reason.USER, NOT_MET, TRUSTED, 130, 130, 130, 130),
    ],
)
def test_exit_codes(
    reason: Reason,
    overall: LatencyVerdict | None,
    trust: Trust,
    plain_code: int,
    gate: int,
    strict: int,
    both: int,
) -> None:
    result = replace(result_with(plan_of(), [], Stop(reason)), overall=overall, trust=trust)
    found = [
        exit_code(result, gate=g, strict=s) for g, s in ((False, False), (True, False), (False, True), (True, True))
    ]
    assert found == [plain_code, gate, strict, both]


def test_every_reason_has_an_exit_code() -> None:
    results = {reason: result_with(plan_of(), [], Stop(reason), trust=TRUSTED) for reason in Reason}
    codes = {exit_code(result, gate=False, strict=False) for result in results.values()}
    assert codes == {0, 1, 130}


def test_without_a_threshold_nothing_is_undecided() -> None:
    result = replace(result_with(plan_of(None), [], Stop(Reason.CURVE_END)), trust=TRUSTED, overall=None)
    assert exit_code(result, gate=True, strict=True) == 0


def test_a_lost_worker_is_not_trusted() -> None:
    plan = plan_of(None)
    windows = [changed(window, lost_workers=1) for window in run(plan, [20] * 3)]
    result = result_with(plan, windows, Stop(Reason.CURVE_END), trust=TRUSTED)
    assert [exit_code(result, gate=False, strict=strict) for strict in (False, True)] == [0, 3]


def test_an_endpoint_that_failed_for_most_of_the_run_does_not_pass_strictly() -> None:
    """Only 503 for the last 9 of 12 s: CURVE_END, exit code 0, VALID."""
    plan = plan_of(None)
    good = [
        flat_window(i, level=0, users=2, running=2, active=2.0, in_flight=2.0, ok=50, max_ms=20.0) for i in range(3)
    ]
    bad = [
        flat_window(i, level=0, users=2, active=2.0, in_flight=2.0, errors={"server_error": 50}) for i in range(3, 12)
    ]
    result = replace(result_with(plan, [*good, *bad], Stop(Reason.CURVE_END), stopped_at_s=12.0), trust=TRUSTED)
    assert result.silent_share == 0.75
    assert exit_code(result, gate=False, strict=False) == 0
    assert exit_code(result, gate=False, strict=True) == 3
