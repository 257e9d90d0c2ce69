"""The latency model against queueing theory, with no clock: every instant is an argument."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from random import Random

import numpy as np
import pytest

from loadtest.endpoint.latency import Answer, LatencyModel, MockSettings
from loadtest.errors import SpecError


def closed_loop(model: LatencyModel, users: int, until_s: float) -> list[tuple[float, Answer]]:
    """(arrival, answer) of users without think time, in virtual time; a throttled user tries again 1 ms later."""
    due = [(0.0, user) for user in range(users)]
    heapify(due)
    seen = []
    while due[0][0] < until_s:
        now_s, user = heappop(due)
        answer = model.arrive(now_s)
        seen.append((now_s, answer))
        heappush(due, (answer.done_s + (0.001 if answer.status == 400 else 0.0), user))
    return seen


def poisson(model: LatencyModel, rate_per_s: float, n: int, seed: int = 7) -> list[tuple[float, Answer]]:
    random, now_s, seen = Random(seed), 0.0, []
    for _ in range(n):
        now_s += random.expovariate(rate_per_s)
        seen.append((now_s, model.arrive(now_s)))
    return seen


def erlang_c(servers: int, load: float) -> float:
    """Probability that a request waits in M/M/c; load = arrival rate x mean service time < servers."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize("servers", [1, 4, 7])
@pytest.mark.parametrize("users", [1, 3, 4, 8, 100])
def test_a_closed_loop_gets_what_theory_says(servers: int, users: int) -> None:
    model = LatencyModel(MockSettings(servers=servers, service_ms=20))
    seen = closed_loop(model, users, until_s=4.0)
    done = [answer for _, answer in seen if answer.done_s <= 4.0 + 1e-9]
    assert len(done) == min(users, servers) * 4 / 0.020
    # Little: mean latency x throughput is the number of users.
    steady = [answer.model_latency_us for at_s, answer in seen if at_s > 2.0]
    assert np.mean(steady) == pytest.approx(20_000 * max(1, users / servers), rel=0.01)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (3, 2.1), (8, 6.4)])
def test_the_mean_wait_is_erlangs(servers: int, load: float) -> None:
    service_s, n, batches = 0.010, 120_000, 40
    model = LatencyModel(MockSettings(servers=servers, service_ms=10, law="exponential", queue=10**9, seed=3))
    waits_s = np.array([answer.start_s - at_s for at_s, answer in poisson(model, load / service_s, n)])
    expected_s = erlang_c(servers, load) * service_s / (servers - load)
    # Waits are correlated, so the interval is made from the means of long batches, the first one left out.
    means = waits_s.reshape(batches, -1).mean(axis=1)[1:]
    error_s = 3.5 * means.std(ddof=1) / math.sqrt(len(means))
    assert abs(means.mean() - expected_s) < error_s
    assert error_s < 0.3 * expected_s
    share = np.mean(waits_s > 0)
    assert share == pytest.approx(erlang_c(servers, load), rel=0.1)


def test_a_loss_system_throttles_as_erlang_says() -> None:
    servers, load, n = 4, 3.0, 40_000
    model = LatencyModel(MockSettings(servers=servers, service_ms=10, queue=0))
    seen = poisson(model, load / 0.010, n)
    lost = np.mean([answer.code == "ThrottlingException" for _, answer in seen])
    blocking = load**servers / math.factorial(servers) / sum(load**k / math.factorial(k) for k in range(servers + 1))
    assert lost == pytest.approx(blocking, rel=0.05)  # Erlang B holds for every law of the service time
    assert all(answer.start_s == at_s for at_s, answer in seen)


LAWS = [
    ("fixed", {}, 20.0, 20.0, 20.0),
    ("exponential", {}, 20.0, 20.0 * math.log(2), 20.0 * math.log(20)),
    ("lognormal", {}, 20.0 * math.exp(0.406**2 / 2), 20.0, 39.0),
    ("lognormal", {"sigma": 1.0}, 20.0 * math.exp(0.5), 20.0, 20.0 * math.exp(1.6449)),
]


@pytest.mark.parametrize(("law", "more", "mean_ms", "p50_ms", "p95_ms"), LAWS)
def test_service_times_follow_their_law(
    law: str, more: dict[str, float], mean_ms: float, p50_ms: float, p95_ms: float
) -> None:
    model = LatencyModel(MockSettings(servers=1, service_ms=20, law=law, seed=5, **more))  # type: ignore[arg-type]
    drawn_ms = np.array([model.arrive(i * 1e4).model_latency_us / 1000 for i in range(30_000)])
    assert drawn_ms.mean() == pytest.approx(mean_ms, rel=0.02)
    assert np.quantile(drawn_ms, [0.5, 0.95]) == pytest.approx([p50_ms, p95_ms], rel=0.03)
    assert model.mean_service_s == pytest.approx(mean_ms / 1000)


def test_the_empirical_law_draws_its_samples_evenly() -> None:
    model = LatencyModel(MockSettings(servers=1, law="empirical", samples="file"), samples_ms=(5, 10, 30))
    drawn_us = [model.arrive(i * 1.0).model_latency_us for i in range(9_000)]
    found, counts = np.unique(drawn_us, return_counts=True)
    assert found.tolist() == [5_000, 10_000, 30_000]
    assert counts == pytest.approx([3_000] * 3, rel=0.1)
    assert model.mean_service_s == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("settings", "samples_ms"),
    [(MockSettings(law="empirical", samples="file"), ()), (MockSettings(), (1.0,))],
    ids=["none given", "none wanted"],
)
def test_samples_and_law_must_agree(settings: MockSettings, samples_ms: tuple[float, ...]) -> None:
    with pytest.raises(SpecError, match="samples"):
        LatencyModel(settings, samples_ms)


def test_the_queue_is_first_come_first_served_and_bounded() -> None:
    model = LatencyModel(MockSettings(servers=2, service_ms=100, queue=3))
    answers = [model.arrive(0.001 * i) for i in range(6)]
    assert [answer.start_s for answer in answers] == pytest.approx([0, 0.001, 0.1, 0.101, 0.2, 0.005])
    assert [answer.done_s for answer in answers] == pytest.approx([0.1, 0.101, 0.2, 0.201, 0.3, 0.005])
    assert [answer.status for answer in answers] == [200] * 5 + [400]
    assert answers[5] == Answer(0.005, 0.005, 0.005, 400, "ThrottlingException", 0, 0)
    assert not answers[5].ok
    assert model.waiting(0.005) == 3
    assert model.waiting(0.1005) == 2
    # The first of the waiting has got a server at 0.1 s, so there is room for one more.
    assert model.arrive(0.1005).ok
    assert model.arrive(0.1006).code == "ThrottlingException"


def test_without_a_queue_only_busy_servers_throttle() -> None:
    model = LatencyModel(MockSettings(servers=1, service_ms=100, queue=0))
    assert [model.arrive(at_s).status for at_s in (0.0, 0.099, 0.1, 0.15, 0.2)] == [200, 400, 200, 400, 200]


def test_errors_take_their_service_time_and_name_the_original_status() -> None:
    model = LatencyModel(MockSettings(servers=1, service_ms=20, error_ratio=0.25, seed=2))
    answers = [model.arrive(i * 1.0) for i in range(10_000)]
    failed = [answer for answer in answers if not answer.ok]
    assert {(a.status, a.code, a.original_status, a.model_latency_us) for a in failed} == {
        (424, "ModelError", 500, 20_000)
    }
    assert len(failed) / len(answers) == pytest.approx(0.25, abs=0.02)
    assert {answer.model_latency_us for answer in answers} == {20_000}


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_error_ratios_at_the_ends_are_exact(ratio: float) -> None:
    model = LatencyModel(MockSettings(error_ratio=ratio))
    assert {model.arrive(i * 1.0).ok for i in range(1_000)} == {ratio == 0.0}


def test_stalled_requests_hold_their_server() -> None:
    model = LatencyModel(MockSettings(servers=1, service_ms=20, stall_ratio=0.1, stall_ms=200, seed=4))
    latencies_us = [model.arrive(i * 1.0).model_latency_us for i in range(10_000)]
    assert set(latencies_us) == {20_000, 220_000}
    assert latencies_us.count(220_000) / 10_000 == pytest.approx(0.1, abs=0.015)
    assert model.mean_service_s == pytest.approx(0.040)
    always = LatencyModel(MockSettings(servers=1, service_ms=20, stall_ratio=1, stall_ms=200))
    assert [always.arrive(0.0).done_s for _ in range(3)] == pytest.approx([0.22, 0.44, 0.66])


FREEZES = [
    # One server, 1 s of service; frozen in 2..3 s, then in 5..6, 8..9, ... if it repeats.
    (0.0, {}, 1.0),
    (1.0, {}, 2.0),  # done just before the freeze
    (1.5, {}, 3.5),  # half before, half after
    (2.0, {}, 4.0),
    (2.5, {}, 4.0),  # arrives during the freeze
    (3.0, {}, 4.0),
    (2.5, {"freeze_every_s": 3}, 4.0),
    (4.0, {"freeze_every_s": 3}, 5.0),
    (4.25, {"freeze_every_s": 3}, 6.25),
    (4.25, {"freeze_every_s": 3, "service_ms": 2_000}, 7.25),
    (4.25, {"freeze_every_s": 3, "service_ms": 3_500}, 9.75),
    (8.5, {"freeze_every_s": 3, "service_ms": 0}, 9.0),
    (1.5, {"freeze_every_s": 3, "service_ms": 4_500}, 8.0),
    (1.5, {"freeze_every_s": 3, "service_ms": 4_750}, 9.25),
]


@pytest.mark.parametrize(("at_s", "more", "done_s"), FREEZES)
def test_nothing_moves_during_a_freeze(at_s: float, more: dict[str, float], done_s: float) -> None:
    for origin_s in (0.0, 12345.0):
        values = {"servers": 2, "service_ms": 1_000, "freeze_at_s": 2, "freeze_s": 1, **more}
        model = LatencyModel(MockSettings(**values))  # type: ignore[arg-type]
        model.arrive(origin_s)  # the freeze is counted from here
        assert model.arrive(origin_s + at_s).done_s - origin_s == pytest.approx(done_s)


def test_freezes_lower_the_capacity_by_their_share() -> None:
    model = LatencyModel(MockSettings(servers=2, service_ms=10, freeze_at_s=0.5, freeze_s=0.25, freeze_every_s=1))
    seen = closed_loop(model, users=8, until_s=20.0)
    assert len(seen) == pytest.approx(20 * 0.75 * 2 / 0.010, rel=0.01)
    frozen = [answer.done_s % 1 for _, answer in seen if 0.5 + 1e-6 < answer.done_s % 1 < 0.75 - 1e-6]
    assert frozen == []


def test_each_server_starts_cold_once_and_warm_ones_are_taken_first() -> None:
    model = LatencyModel(MockSettings(servers=2, service_ms=10, cold_start_ms=500))
    done_s = [model.arrive(at_s).done_s - at_s for at_s in (0.0, 1.0, 1.001, 3.0, 3.001, 3.002)]
    #        cold, warm and free, the second one cold, both warm, then a queue
    assert done_s == pytest.approx([0.51, 0.01, 0.51, 0.01, 0.01, 0.018])


def test_a_streams_later_parts_hold_the_server() -> None:
    model = LatencyModel(MockSettings(servers=1, service_ms=20))
    stream = model.arrive(0.0, extra_s=0.3)
    assert (stream.first_s, stream.done_s, stream.model_latency_us) == pytest.approx((0.02, 0.32, 320_000))
    assert model.arrive(0.1).start_s == pytest.approx(0.32)


def test_the_clock_may_start_anywhere_and_never_runs_back() -> None:
    early, late = (LatencyModel(MockSettings(law="lognormal")) for _ in range(2))
    offsets_s = [0.0, 0.001, 0.002, 0.003, 0.004, 0.5]
    for offset_s in offsets_s:
        answer, shifted = early.arrive(offset_s), late.arrive(1e6 + offset_s)
        assert shifted.model_latency_us == pytest.approx(answer.model_latency_us, abs=1)
    assert early.arrive(0.1).start_s >= 0.5


def test_the_seed_decides_everything() -> None:
    def run(**values: object) -> list[Answer]:
        settings = MockSettings(servers=2, law="exponential", error_ratio=0.1, stall_ratio=0.1, stall_ms=50, **values)  # type: ignore[arg-type]
        return [answer for _, answer in poisson(LatencyModel(settings), 80, 2_000)]

    assert run(seed=1) == run(seed=1)
    assert run(seed=1) != run(seed=2)


def test_each_kind_of_chance_has_its_own_stream() -> None:
    plain, broken = (
        LatencyModel(MockSettings(law="lognormal", error_ratio=ratio, stall_ratio=ratio)) for ratio in (0.0, 0.5)
    )
    for i in range(1_000):
        assert plain.arrive(i * 1.0).done_s == broken.arrive(i * 1.0).done_s


@pytest.mark.parametrize(("users", "servers", "share"), [(1, 4, 0.25), (2, 4, 0.5), (4, 4, 1.0), (9, 4, 1.0)])
def test_utilisation_is_the_busy_share_of_all_servers(users: int, servers: int, share: float) -> None:
    model = LatencyModel(MockSettings(servers=servers, service_ms=20))
    assert model.utilisation(5.0) == 0.0
    assert model.busy_s(5.0) == 0.0
    closed_loop(model, users, until_s=4.0)
    assert model.utilisation(4.0) == pytest.approx(share, abs=0.006)


def test_busy_time_can_be_asked_for_an_interval() -> None:
    model = LatencyModel(MockSettings(servers=2, service_ms=100))
    model.arrive(0.0)
    assert model.busy_s(0.0) == 0.0
    assert model.busy_s(0.04) == pytest.approx(0.04)
    assert model.busy_s(0.5) == pytest.approx(0.1)
    model.arrive(0.5)
    model.arrive(0.5)
    model.arrive(0.5)
    assert model.busy_s(0.55) == pytest.approx(0.2)
    assert model.busy_s(1.0) == pytest.approx(0.4)
    assert model.utilisation(1.0) == pytest.approx(0.2)


def test_poisson_arrivals_use_the_servers_as_much_as_is_offered() -> None:
    model = LatencyModel(MockSettings(servers=4, service_ms=10, law="exponential", seed=9))
    seen = poisson(model, 300, 40_000)
    assert model.utilisation(seen[-1][0]) == pytest.approx(0.75, rel=0.02)
