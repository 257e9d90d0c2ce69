"""When requests are to be sent: tables, and the laws against what they promise."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from loadtest.core.traffic.arrivals import CHUNK, Arrivals, Instant, intended_in_clock_of, most_in_flight


@pytest.mark.parametrize(
    ("rate_per_s", "duration_s", "times_s"),
    [
        (1, 1, [0.0]),
        (2, 2, [0.0, 0.5, 1.0, 1.5]),
        (4, 0.6, [0.0, 0.25, 0.5]),
        (0.5, 5, [0.0, 2.0, 4.0]),
        (0.5, 4, [0.0, 2.0]),
        (0.1, 3, [0.0]),
        (3, 1, [0.0, 1 / 3, 2 / 3]),
    ],
)
def test_constant_arrivals(rate_per_s: float, duration_s: float, times_s: list[float]) -> None:
    assert list(Arrivals(rate_per_s, duration_s).times_s()) == times_s


def test_constant_arrivals_do_not_drift_however_many_there_are() -> None:
    arrivals = list(Arrivals(3000, 20).times_s())
    assert len(arrivals) == 60_000
    assert len(arrivals) > 2 * CHUNK
    assert all(at_s == k / 3000 for k, at_s in enumerate(arrivals))


def test_poisson_arrivals_are_independent_and_keep_the_rate() -> None:
    arrivals = list(Arrivals(1000, 50, "poisson", seed=7).times_s())
    gaps_s = np.diff(arrivals)
    # 50,000 +- 224 expected; the gaps' mean and deviation are both 1 / rate, and neighbours know nothing of each other.
    assert abs(len(arrivals) - 50_000) < 5 * 224
    assert gaps_s.mean() == pytest.approx(1e-3, rel=0.03)
    assert gaps_s.std() == pytest.approx(1e-3, rel=0.03)
    assert abs(np.corrcoef(gaps_s[:-1], gaps_s[1:])[0, 1]) < 0.03
    assert all(a <= b for a, b in pairwise(arrivals))
    assert arrivals[0] > 0
    assert arrivals[-1] < 50


def test_poisson_arrivals_follow_their_seed() -> None:
    def first(seed: int) -> list[float]:
        return list(islice(Arrivals(100, 1000, "poisson", seed).times_s(), 10_000))

    assert first(1) == first(1)
    assert not set(first(1)) & set(first(2))


@pytest.mark.parametrize("law", ["constant", "poisson"])
@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_are_the_whole(law: str, parts: int) -> None:
    arrivals = Arrivals(500, 10, law, seed=3)  # type: ignore[arg-type]
    shares = [list(arrivals.times_s(part, parts)) for part in range(parts)]
    assert sorted(at_s for share in shares for at_s in share) == list(arrivals.times_s())
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 1), "rate"),
        ((-1, 1), "rate"),
        ((float("nan"), 1), "rate"),
        ((2e6, 1), "rate"),
        ((1, 0), "last longer"),
        ((1, float("inf")), "last longer"),
        ((1, 1, "bursty"), "constant, poisson"),
    ],
)
def test_bad_arrivals_cannot_exist(values: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Arrivals(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("part", "parts"), [(1, 1), (-1, 2), (0, 0)])
def test_a_part_that_there_is_not_is_refused(part: int, parts: int) -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        Arrivals(1, 1).times_s(part, parts)


@pytest.mark.parametrize(
    ("rate", "limit"), [(0.1, 100), (9, 100), (10.01, 101), (123.4, 1234), (500, 5000), (9000, 5000)]
)
def test_the_default_limit_in_flight(rate: float, limit: int) -> None:
    assert most_in_flight(rate) == limit


WALL = 1_700_000_000_000_000_000
ASKED, ANSWERED = Instant(5_000, WALL + 5_000), Instant(9_000, WALL + 9_000)


@pytest.mark.parametrize(
    ("sent_ns", "kernel", "intended_ns"),
    [
        (WALL + 5_500, True, WALL + 4_000),  # the kernel's times are on the wall clock
        (WALL + 5_500, False, WALL + 4_000),  # the kernel's time was missing, but the clock is the same
        (5_500, False, 4_000),
        (5_000, False, 4_000),
        (77, False, None),  # a clock of the target's own
    ],
)
def test_the_intended_instant_on_the_requests_own_clock(sent_ns: int, kernel: bool, intended_ns: int | None) -> None:
    assert intended_in_clock_of(sent_ns, kernel, 4_000, ASKED, ANSWERED) == intended_ns
