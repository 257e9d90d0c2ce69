from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.request.spec import LatencyThreshold, Phase, RunOptions, Stairs, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.latency import Answer
from loadtest.engine.sim import VirtualRun, run_virtual, server_of, simulate


def plan(traffic, ref: str = "mock:servers=4,service_ms=20", *, options: RunOptions | None = None, **stop) -> Plan:
    stop = {"flat_stops": False} | stop
    return Plan(curve_of(traffic), StopConditions(**stop), TargetRef(ref), options=options or RunOptions())


def run(given: Plan) -> VirtualRun:
    return run_virtual(given, server_of(given.target))


@pytest.mark.parametrize("law", ["fixed", "exponential"])
@pytest.mark.parametrize("servers", [1, 2, 4])
def test_throughput_of_a_closed_loop(law, servers) -> None:
    """N users on c servers of mean time s get min(N, c) / s, exactly so if the time is fixed."""
    given = plan(Stairs(1, 6, 120), f"mock:servers={servers},service_ms=20,law={law},seed=3")
    result = simulate(given)
    assert result.reason is Reason.CURVE_END
    for level in result.levels:
        expected = min(level.users, servers) / 0.020
        assert level.throughput_per_s == pytest.approx(expected, rel=0.005 if law == "fixed" else 0.09)
        assert level.in_flight == pytest.approx(level.users, rel=1e-6)
        assert level.active == pytest.approx(level.users, rel=1e-6)
        assert level.latencies.client.mean_ms == pytest.approx(
            1000 * level.users / expected, rel=0.02 if law == "fixed" else 0.1
        )


def test_every_request_is_counted_once() -> None:
    sent, answers = [], server_of(TargetRef("mock:servers=2,service_ms=35,law=exponential,error_ratio=0.1"))

    def server(now_s: float) -> Answer:
        sent.append(now_s)
        return answers(now_s)

    done = run_virtual(plan((Phase(3, 20, 20),), "mock:"), server)
    assert sum(window.completed for window in done.windows) == len(sent)
    assert sum(window.failed for window in done.windows) > 0
    assert sent == sorted(sent)
    assert done.windows[-1].load.running == 0


def test_windows_follow_each_other_and_the_levels() -> None:
    done = run(plan(Stairs(2, 3, 30)))
    edges = [window.end_s for window in done.windows]
    assert [window.start_s for window in done.windows] == [0.0, *edges[:-1]]
    assert edges[:30] == [float(k) for k in range(1, 31)]
    assert [window.level for window in done.windows[:30]] == [0] * 10 + [1] * 10 + [2] * 10
    assert [window.users for window in done.windows[::10]] == [2, 4, 6, 0]


def test_users_start_and_leave_on_time_and_no_request_is_cut() -> None:
    given = plan((Phase(3, 0, 10), Phase(1, 0, 10)), "mock:servers=8,service_ms=300,law=exponential")
    done = run(given)
    starts = [(change.user, change.planned_s) for change in done.changes if change.action == "start"]
    stops = {change.user: change for change in done.changes if change.action == "stop"}
    assert starts == [(0, 0.0), (1, 0.0), (2, 0.0)]
    assert {user: change.planned_s for user, change in stops.items()} == {2: 10.0, 1: 10.0, 0: 20.0}
    assert all(change.actual_s >= change.planned_s for change in stops.values())
    assert sum(window.counts.errors.get("cut", 0) for window in done.windows) == 0
    assert simulate(given).schedule.max_lag_ms == 0.0


def test_what_does_not_end_in_time_is_cut_and_counted() -> None:
    given = plan((Phase(2, 0, 5),), "mock:servers=2,service_ms=60000", options=RunOptions(drain_s=3.0))
    done = run(given)
    assert (done.stop.reason, done.stopped_at_s) == (Reason.CURVE_END, 5.0)
    assert done.windows[-1].end_s == pytest.approx(8.0)
    assert sum(window.counts.errors.get("cut", 0) for window in done.windows) == 2
    assert sum(window.completed for window in done.windows) == 2


def test_a_hard_end_between_two_windows() -> None:
    given = replace(plan((Phase(2, 0, 10),)), limit_s=4.5)
    done = run(given)
    assert (done.stop.reason, done.stopped_at_s) == (Reason.JOB_DURATION, 4.5)
    assert all(window.start_s <= 4.6 for window in done.windows)


def test_a_latency_equal_to_the_limit_is_not_over_it() -> None:
    given = plan((Phase(4, 0, 20),), latency=LatencyThreshold(0.95, 20), options=RunOptions(latency_clock="client"))
    result = simulate(given)
    assert result.totals.counts.over == 0
    assert result.overall is not None
    assert (result.overall.answer, result.overall.clock) == ("met", "client")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (plan(Stairs(1, 8, 160), flat_stops=True), Reason.FLAT),
        (plan(Stairs(2, 8, 160), latency=LatencyThreshold(0.95, 45)), Reason.LATENCY),
        (plan((Phase(4, 0, 90),), max_invocations_per_min=11_900), Reason.MAX_INVOCATIONS),
        (plan((Phase(4, 0, 90),), "mock:error_ratio=0.3", max_error_ratio=0.1), Reason.ERRORS),
        (plan((Phase(2, 0, 60),), "mock:error_ratio=1"), Reason.TARGET_DOWN),
        (plan((Phase(2, 0, 20),), "mock:queue=0,servers=1"), Reason.CURVE_END),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_stops(given, reason) -> None:
    result = simulate(given)
    assert result.reason is reason
    assert result.trust.valid == (result.totals.ok > 0)
    assert not result.trust.client_limited


@pytest.mark.parametrize("servers", [1, 3, 6])
@pytest.mark.parametrize("law", ["fixed", "exponential"])
def test_the_knee_is_the_number_of_servers(servers, law) -> None:
    steps = servers + 7
    given = plan(Stairs(1, steps, 12 * steps), f"mock:servers={servers},service_ms=20,law={law}", flat_stops=True)
    done = run(given)
    assert done.stop.reason is Reason.FLAT
    assert abs(done.stop.evidence["knee_users"] - servers) <= 1


def test_constant_users_are_never_flat() -> None:
    for seed in range(5):
        given = plan((Phase(3, 0, 60),), f"mock:servers=1,law=exponential,seed={seed}", flat_stops=True)
        assert run(given).stop.reason is Reason.CURVE_END


def test_the_same_seed_gives_the_same_run() -> None:
    given = plan((Phase(2, 30, 20),), "mock:law=lognormal,error_ratio=0.05,stall_ratio=0.1,stall_ms=50,seed=9")
    assert run(given) == run(given)


def test_refused_requests_do_not_stop_time() -> None:
    """A throttled answer takes no time at all; users would ask again at the same instant for ever."""
    result = simulate(plan((Phase(4, 0, 5),), "mock:servers=1,queue=0,service_ms=100"))
    assert result.totals.counts.errors["throttled"] == pytest.approx(3 * 5 * 1000, rel=0.05)
    assert result.totals.ok == pytest.approx(50, abs=2)
