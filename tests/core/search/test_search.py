"""Searches in closed loops on c servers, in virtual time, a window a second."""

from __future__ import annotations

import heapq
import json
from dataclasses import asdict

import numpy as np
import pytest

from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.search.capacity import Capacity, Finished
from loadtest.core.search.reading import Reading, criteria_of
from loadtest.core.search.search import Search

SETTINGS = SearchSettings((Objective(0.5, 100),), budget_s=300, max_load=200)
TRUE = 20  # of four exponential servers of 20 ms with a median of 100 ms at most, by long simulation


def searched(
    seed: int,
    law: str = "exponential",
    slower_per_s: float = 0.0,
    settings: SearchSettings = SETTINGS,
    *,
    service_s: float = 0.02,
    quota_per_s: int = 10**9,
    limited: bool = False,
    limit_s: float = 0.1,
    pause_s: float = 0.0,
    cold_s: float = 0.0,
    grows_at_s: float = 1e9,
) -> Capacity:
    """pause_s: nothing is begun for so long, every ten seconds. cold_s: three times slower until then."""
    rng, found = np.random.default_rng(seed), Search(settings)
    free, flights, moves = [0.0] * 4, [], [(0.0, settings.start)]
    users = leaving = 0

    def send(at_s: float) -> None:
        if at_s >= grows_at_s and len(free) == 4:
            free.extend([at_s] * 4)
        begin_s = max(at_s, heapq.heappop(free))
        begin_s += max(0.0, pause_s - begin_s % 10)
        length_s = (
            (3 if begin_s < cold_s else 1)
            * (rng.exponential(service_s) if law == "exponential" else service_s)
            * (1 + slower_per_s * at_s)
        )
        heapq.heappush(free, begin_s + length_s)
        heapq.heappush(flights, (begin_s + length_s, at_s))

    for k in range(int(settings.budget_s) + 1):
        if moves and moves[0][0] <= k:
            change, users = int(moves[0][1]) - users, int(moves.pop()[1])
            leaving += max(-change, 0)
            for _ in range(change):
                if leaving:
                    leaving -= 1
                else:
                    send(float(k))
        n = over = 0
        sum_s = 0.0
        while flights[0][0] < k + 1:
            done_s, sent_s = heapq.heappop(flights)
            n, over, sum_s = n + 1, over + (done_s - sent_s > limit_s + 1e-6), sum_s + done_s - sent_s
            if leaving:
                leaving -= 1
            else:
                send(done_s)
        refused = max(0, n - quota_per_s)
        reading = Reading(
            k,
            float(k),
            k + 1.0,
            n,
            n - refused,
            tuple(0 if each.per_s else max(over, refused) for each in criteria_of(settings)),
            refused,
            sum_s,
            limited=limited,
        )
        answer = found.take(reading)
        if isinstance(answer, Finished):
            break
        if answer is not None:
            moves.append((answer.at_s, answer.load))
    return found.capacity()


def test_intervals_hold_the_capacity():
    found = [searched(seed) for seed in range(12)]
    held = [each.finding == "found" and each.low <= TRUE <= each.high for each in found]
    assert sum(held) >= 10
    assert all(each.high - each.low <= 1 for each in found if each.finding == "found")


def test_a_fixed_service_time_is_found_between_its_neighbours():
    capacity = searched(1, "fixed")
    assert (capacity.finding, capacity.low, capacity.high) == ("found", 21.0, 22.0)  # of 22, half take 100 ms
    assert capacity.shown_met == 21.0
    assert capacity.shown_broken is None or capacity.shown_broken >= 23.0


def test_pauses_do_not_count_as_a_load_that_breaks_it():
    settings = SearchSettings((Objective(0.95, 200),), budget_s=600, max_load=200)
    found = [searched(seed, settings=settings, pause_s=0.3, limit_s=0.2) for seed in range(4)]
    held = [each.low <= 27 <= each.high for each in found]  # by long simulation
    assert sum(held) >= 3
    assert all(each.shown_broken is None or each.shown_broken > 27 for each in found)


def test_a_warm_up_is_left_out_and_the_search_begins_anew():
    found = [searched(seed, cold_s=20.0) for seed in range(4)]
    assert sum(each.finding == "found" and each.low <= TRUE <= each.high for each in found) >= 3
    assert any(each.evidence.get("left_out_s", 0) >= 20 for each in found)


def test_an_endpoint_that_grows_gets_no_number():
    found = [searched(seed, grows_at_s=30.0) for seed in range(4)]
    assert [each.finding for each in found] == ["scaling out"] * 4
    assert all(each.load is None for each in found)


def test_more_invocations_than_are_wanted_are_not_sought():
    settings = SearchSettings((Objective(0.5, 100),), max_invocations_per_min=7500, budget_s=300, max_load=200)
    capacity = searched(1, "fixed", settings=settings)
    assert (capacity.finding, capacity.load, capacity.binding) == ("found", 2.0, "7,500 invocations/min")
    assert capacity.per_min == pytest.approx(6000, rel=0.02)


def test_invocations_that_are_not_reached_bind_nothing():
    settings = SearchSettings((Objective(0.5, 100),), max_invocations_per_min=60_000, budget_s=300, max_load=200)
    capacity = searched(1, settings=settings)
    assert capacity.low <= TRUE <= capacity.high
    assert capacity.binding == "P50 <= 100 ms"


def test_a_budget_that_is_over_leaves_an_interval_as_wide_as_it_is():
    settings = SearchSettings((Objective(0.5, 100),), within=0.001, budget_s=90, max_load=200)
    capacity = searched(2, settings=settings)
    assert capacity.finding == "budget"
    assert capacity.low <= capacity.load <= capacity.high


def test_a_drifting_endpoint_gets_no_number():
    found = [searched(seed, slower_per_s=0.004) for seed in range(4)]
    assert all(each.finding == "drifting" and each.load is None for each in found)


def test_a_search_ends_at_the_highest_load():
    settings = SearchSettings((Objective(0.5, 100),), max_load=8)
    assert searched(1, settings=settings).finding == "above max"


def test_a_first_load_that_breaks_it_has_no_number_below():
    found = searched(1, "fixed", service_s=0.2)
    assert (found.finding, found.load, found.shown_broken) == ("below start", None, 1.0)


def test_a_quota_is_called_one():
    assert searched(1, quota_per_s=30).finding == "throttled"


def test_a_generator_that_sets_the_pace_gives_no_number():
    found = searched(1, limited=True)
    assert (found.finding, found.load) == ("generator limited", None)


def test_the_same_windows_give_the_same_answer_and_it_survives_json():
    capacity = searched(3)
    assert searched(3) == capacity
    assert Capacity.from_dict(json.loads(json.dumps(capacity.to_dict()))) == capacity
    assert SearchSettings.from_dict(json.loads(json.dumps(asdict(SETTINGS)))) == SETTINGS


def test_every_wrong_setting_is_told_at_once():
    with pytest.raises(ValueError, match=r"objective.*budget"):
        SearchSettings(budget_s=0)


def searched_by_rate(seed: int, law: str, budget_s: float) -> Capacity:
    """Evenly spaced arrivals at four servers of 20 ms; 200 a second are all they can do."""
    settings = SearchSettings((Objective(0.95, 120),), by="rate", budget_s=budget_s, max_load=10_000)
    rng, found = np.random.default_rng(seed), Search(settings)
    free, flights, moves = [0.0] * 4, [], [(0.0, settings.start)]
    rate = begun_s = 0.0
    sent = 0
    for k in range(int(budget_s) + 1):
        if moves and moves[0][0] <= k:
            begun_s, rate = float(k), moves.pop()[1]
            sent = 0
        while (at_s := begun_s + sent / rate) < k + 1:
            done_s = max(at_s, heapq.heappop(free)) + (rng.exponential(0.02) if law == "exponential" else 0.02)
            heapq.heappush(free, done_s)
            heapq.heappush(flights, (done_s, at_s))
            sent += 1
        n = over = 0
        sum_s = 0.0
        while flights and flights[0][0] < k + 1:
            done_s, at_s = heapq.heappop(flights)
            n, over, sum_s = n + 1, over + (done_s - at_s > 0.12 + 1e-6), sum_s + done_s - at_s
        answer = found.take(Reading(k, float(k), k + 1.0, n, n, (over,), 0, sum_s))
        if isinstance(answer, Finished):
            break
        if answer is not None:
            moves.append((answer.at_s, answer.load))
    return found.capacity()


def test_by_rate_the_throughput_of_an_overload_bounds_it_from_above():
    capacity = searched_by_rate(1, "fixed", 600)
    assert capacity.finding == "found"
    assert 190 < capacity.low <= 200 <= capacity.high + 0.01
    assert capacity.high < 201


def test_by_rate_a_backlog_that_comes_and_goes_makes_an_interval_that_is_wide():
    for seed in (1, 2):
        capacity = searched_by_rate(seed, "exponential", 300)
        assert capacity.finding == "budget"
        assert capacity.load is None or capacity.low <= 184.9 <= capacity.high  # by long simulation
