"""Arrivals whose rate is moved: each rate begins anew, parts add up, and a longer schedule changes nothing before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.core.traffic.arrivals import Arrivals


@pytest.mark.parametrize("law", ["constant", "poisson"])
def test_a_move_changes_nothing_before_it_and_parts_add_up(law: str) -> None:
    before = Arrivals(10.0, 6.0, law, 7)  # type: ignore[arg-type]
    moved = replace(before, steps=((2.0, 50.0), (4.0, 5.0)))
    every = list(moved.times_s())
    assert every == sorted(every)
    assert [at_s for at_s in every if at_s < 2] == [at_s for at_s in before.times_s() if at_s < 2]
    assert sorted(at_s for part in range(3) for at_s in moved.times_s(part, 3)) == every
    assert list(moved.times_s(after_s=3.3)) == [at_s for at_s in every if at_s > 3.3]
    if law == "constant":
        assert [sum(a <= at_s < a + 2 for at_s in every) for a in (0, 2, 4)] == [20, 100, 10]
