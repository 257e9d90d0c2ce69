"""The benchmark of the capacity search: its endpoints against theory, its rows, and the rules beside it."""

from __future__ import annotations

import math
import shutil

import pytest

from benchmarks.capacity import best_of, family, lower_bound, peered, searched
from benchmarks.capacity_peers import PEERS
from benchmarks.endpoints import FAMILIES, Family, Loop, share_over

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("cc") is None, reason="no C compiler")


def test_one_server_with_random_arrivals_is_as_theory_says() -> None:
    family = Family(mean_s=0.005, servers=1, limit_s=0.1, by="rate", poisson=True)
    theory = math.exp(-(200 - 170) * 0.1)  # P(response > t) = exp(-(mu - lambda) t)
    assert share_over(family, 170.0, 2_000_000) == pytest.approx(theory, rel=0.1)


def test_users_at_fixed_service_times_wait_for_those_before_them() -> None:
    loop = Loop(Family(law=0, mean_s=0.02, servers=4, limit_s=0.09), 1)
    loop.set_load(20)
    seen = [loop.window() for _ in range(5)][-1]
    assert seen.n == pytest.approx(200, abs=4)
    assert seen.over == (seen.n,)
    assert seen.latency_sum_s / seen.ok == pytest.approx(20 / 200)


def test_batches_serve_all_who_wait_at_once() -> None:
    loop = Loop(Family(servers=0, batch=8, batch_s=0.02, batch_each_s=0.001, limit_s=1.0), 1)
    loop.set_load(8)
    seen = [loop.window() for _ in range(5)][-1]
    assert seen.latency_sum_s / seen.ok == pytest.approx(0.028)


def test_a_family_is_summed_up_over_its_searches() -> None:
    rows = [searched("M/D/4", seed, 20.0) for seed in range(3)]
    line = family("M/D/4", rows, 20.0)
    assert (line["coverage"], line["number_given"], line["width"], line["error_95"]) == (1.0, 1.0, 0.0, 0.0)
    assert 0 < line["above_share"] < 0.5


def test_an_open_queue_is_known_narrowly_within_ten_minutes() -> None:
    rows = [searched("by rate, D/M/4", seed, 191.9) for seed in range(4)]
    assert sum(row["low"] <= 191.9 <= row["high"] for row in rows) >= 3
    assert all(row["high"] - row["low"] <= 0.1 * row["load"] for row in rows)


def test_an_overload_by_rate_is_left_again() -> None:
    rows = [searched("by rate, M/M/4", seed, 184.0) for seed in range(3)]
    assert all(row["above"] < 0.7 for row in rows)


def test_a_family_without_a_capacity_counts_the_searches_without_a_number() -> None:
    rows = [searched(name, 1, math.inf) for name in ("autoscaler", "drift", "token bucket")]
    assert [row["finding"] for row in rows] == ["scaling out", "drifting", "throttled"]
    assert family("none", rows, None)["no_number"] == 1.0


@pytest.mark.parametrize("peer", PEERS)
def test_every_rule_finds_a_step_of_the_latency(peer: str) -> None:
    row = peered("M/D/4", peer, 5, 1, 20.0)
    assert row["load"] == 20 or (peer == "stepping" and 18 <= row["load"] <= 20)


def test_the_best_rule_is_the_fastest_that_errs_as_little() -> None:
    ours = {"error_95": 0.03, "time_s": 50.0, "requests": 900}
    peers = [
        {"peer": "quick", "probe_s": 5, "error_95": 0.2, "time_s": 10.0, "requests": 100, "searches": 20},
        {"peer": "slow", "probe_s": 60, "error_95": 0.03, "time_s": 200.0, "requests": 1800, "searches": 20},
    ]
    found = best_of(ours, peers)
    assert (found["best"], found["time_over_best"], found["requests_over_best"]) == ("slow, 60 s", 0.25, 0.5)
    assert best_of(ours, peers[:1]) == {"best": None}
    assert best_of(ours, [{**each, "searches": 19} for each in peers]) == {"best": None}  # right by luck, perhaps


def test_zero_misses_of_sixty_bound_the_coverage_by_95_percent() -> None:
    assert lower_bound(60, 60) == pytest.approx(0.05 ** (1 / 60), abs=1e-4)
    assert lower_bound(0, 60) == 0


def test_every_family_has_a_place_in_the_engine() -> None:
    for name, each in FAMILIES.items():
        loop = Loop(each, 1)
        loop.set_load(10)
        assert sum(loop.window().n for _ in range(3)), name
