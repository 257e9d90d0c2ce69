"""By rate: what is served in an overload, and where the share over a limit crosses what is allowed below it."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.core.search.change import Change
from loadtest.core.search.decay import decay
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Reading
from loadtest.core.search.saturation import Saturation, most_per_s, saturation

TOP = Saturation(200.0, 1.0, 60, Change(0.0, 0.0))
SLOPE, ALLOWED = 40.0, 0.05
TRUE = 200 * (1 + np.log(ALLOWED) / SLOPE)


def blocks(base: float = 0.0, loads: tuple[float, ...] = (178.0, 182.0)):
    load = np.repeat(loads, 12)
    n = np.full(len(load), 12 * 180.0)
    share = base + (1 - base) * np.exp(SLOPE * (load / 200 - 1))
    return load, n, np.random.default_rng(1).poisson(share * n / 200) * 200.0  # spells of 200 requests


def level(load: float, per_s: list[int], late: float, first_s: int = 0, failed: int = 0) -> Level:
    found = Level(load, 1, open=True)
    for k, ok in enumerate(per_s, first_s):
        n = ok + failed
        found.readings.append(
            Reading(k, float(k), k + 1.0, n, ok, (failed + round(late * ok),), latency_sum_s=0.1 * ok)
        )
        found.visits.append(0)
    return found


def test_the_crossing_lies_between_the_loads_and_saturation():
    found = decay(*blocks(), TOP, 0.0, ALLOWED, 1.96)
    assert found is not None
    assert found.low < TRUE < found.high
    assert found.load == pytest.approx(TRUE, rel=0.02)
    assert found.high - found.low < 0.1 * TRUE


def test_what_is_over_without_a_queue_is_taken_off():
    found = decay(*blocks(base=0.01), TOP, 0.01, ALLOWED, 1.96)
    assert found is not None
    assert found.low < 200 * (1 + np.log(0.04 / 0.99) / SLOPE) < found.high


def test_nothing_over_the_limit_is_no_line():
    load, n, over = blocks()
    assert decay(load, n, 0 * over, TOP, 0.0, ALLOWED, 1.96) is None
    assert decay(load + 50, n, over, TOP, 0.0, ALLOWED, 1.96) is None


def test_few_blocks_leave_the_interval_open():
    load, n, _ = (each[8:14] for each in blocks())
    found = decay(load, n, 0.03 * n, TOP, 0.0, ALLOWED, 1.96)
    assert found is not None
    assert (found.low, found.high) == (0.0, pytest.approx(1e13))


def test_saturation_is_what_is_served_late():
    top = saturation([level(250.0, [198, 202, 200, 200], 1.0), level(180.0, [180] * 4, 0.0)])
    assert top is not None
    assert (top.per_s, top.windows) == (200.0, 4)
    assert most_per_s([], top) == pytest.approx(200 + 3 * top.error)


def test_failures_say_nothing_of_what_is_served():
    assert saturation([level(250.0, [20] * 6, 1.0, failed=200)]) is None


def test_an_endpoint_that_breaks_down_under_an_overload_has_no_saturation():
    assert saturation([level(400.0, [50] * 6, 1.0), level(180.0, [180] * 12, 0.0)]) is None


def test_what_is_served_in_overloads_tells_a_drift():
    top = saturation([level(250.0, [200 - k // 2 + k % 2 for k in range(40)], 1.0)])
    assert top is not None
    assert top.change.sigmas < -4
    assert top.change.moved < -0.05


def test_the_floor_is_that_of_loads_without_a_queue():
    quiet, busy = level(100.0, [100] * 8, 0.02), level(190.0, [190] * 8, 0.5)
    top = saturation([quiet, busy, level(250.0, [200] * 6, 1.0)])
    assert top is not None
    assert top.floor(0) == pytest.approx(0.02)
    top = saturation([busy, level(250.0, [200] * 6, 1.0)])
    assert top is not None
    assert top.floor(0) == 0.0
