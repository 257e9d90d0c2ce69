"""The metrics of a run so far: the windows' sums, and what the result says at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest import simulate
from loadtest.core.judge.trust import TrustWatch
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.export.metrics import FAMILIES, STATES, Labels, Metrics
from loadtest.jobfile.jobfile import load_job

LABELS = Labels("t1", "bert", "AllTraffic")
TARGET = "mock:servers=2,service_ms=20,error_ratio=0.1,seed=3"


@pytest.fixture(scope="module")
def run():
    """(every value of the metrics, the result) of a run in virtual time."""
    values = [Metrics(LABELS, LatencyThreshold(0.95, 500))]

    def on_window(window: Window) -> None:
        values.append(values[-1].after(window, {"latency": {"verdict": "undecided"}}, trusted=True))

    result = simulate("scenarios/short.json", target=TARGET, on_window=on_window)
    return values, result


def test_the_names_are_the_ones_that_dashboards_are_made_for() -> None:
    assert [family.flat for family in FAMILIES] == [
        "loadtest_request_duration_seconds",
        "loadtest_requests_total",
        "loadtest_users",
        "loadtest_users_planned",
        "loadtest_in_flight",
        "loadtest_schedule_lag_seconds",
        "loadtest_level",
        "loadtest_verdict",
        "loadtest_trust_valid",
    ]


def test_sums_are_the_results(run) -> None:
    values, result = run
    last = values[-1]
    assert last.counts.ok == result.totals.ok == last.duration.total
    assert last.counts.errors == result.totals.counts.errors
    assert last.counts.latency_sum_s == pytest.approx(result.totals.ok * result.totals.latencies.client.mean_ms / 1000)
    assert (last.duration.counts == result.latency_histogram().counts).all()
    assert last.counts.over_batches == (), "they would grow with the run"


def test_values_before_stay_as_they_were(run) -> None:
    values, _ = run
    assert [value.duration.total for value in values[1:]] == sorted(value.duration.total for value in values[1:])
    assert values[1].duration.total < values[-1].duration.total


def test_every_kind_of_failure_is_there_from_the_start() -> None:
    points = [*Metrics(LABELS).requests()]
    assert {point.value for point in points} == {0}
    assert [point.labels["error_type"] for point in points] == [
        *("", "throttled", "model_error", "client_error", "server_error", "timeout", "connection", "malformed"),
        *("cut", "exception", "local", "credentials"),
    ]


def test_gauges_say_only_what_is_known() -> None:
    assert {point.family.name for point in Metrics(LABELS).gauges()} == {
        *("users", "users_planned", "in_flight", "schedule_lag")
    }


@pytest.mark.parametrize("state", STATES)
def test_one_state_of_the_verdict_holds(state: str) -> None:
    metrics = replace(Metrics(LABELS, LatencyThreshold(0.95, 100)), state=state)
    found = {point.labels["state"]: point.value for point in metrics.gauges() if point.family.name == "verdict"}
    assert found == {each: each == state for each in STATES}


def test_the_end_has_the_whole_runs_verdict_and_nothing_runs_any_more(run) -> None:
    values, result = run
    ended = values[4].ended(result)
    assert (ended.state, ended.trusted) == (result.overall.answer, result.trust.valid)
    assert (ended.running, ended.planned, ended.in_flight) == (0, 0, 0.0)


def test_what_came_since_an_earlier_value(run) -> None:
    values, _ = run
    early, late = values[4], values[-1]
    since = late.since(early)
    assert since.counts.ok == late.counts.ok - early.counts.ok == since.duration.total
    assert since.counts.failed == late.counts.failed - early.counts.failed
    assert late.since(values[0]).duration.total == late.duration.total
    assert late.duration.total == late.counts.ok, "and nothing was taken from the later value"


def test_trust_so_far_is_what_the_result_says_in_the_end() -> None:
    _, spec = load_job("scenarios/short.json", "relaxed")
    result = simulate(spec, target=TARGET)
    watch = TrustWatch(result.plan)
    for window in result.windows:
        watch.observe(window)
    assert watch.trust == result.trust
