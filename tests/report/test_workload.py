"""The knee, and what the report says of an open workload."""

from __future__ import annotations

import pytest

from loadtest.core.arrivals import Arrivals
from loadtest.core.confirmation import Confirmation, unconfirmed
from loadtest.core.levels import LevelResult
from loadtest.report.workload import confirmation_lines, knee_of, rate_words


def _levels(*rows: tuple[int, float]) -> list[LevelResult]:
    return [
        LevelResult(i, users, users, i, i + 1, windows=4, measured_s=10, ok=int(10 * rate), throughput_per_s=rate)
        for i, (users, rate) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "users"),
    [
        ([(1, 50), (2, 100), (3, 150)], None),
        ([(1, 50), (2, 100), (3, 100), (4, 100)], 2),
        ([(1, 50), (2, 100), (3, 103), (4, 101)], 2),
        ([(2, 100), (4, 60)], 2),
        # A dip that later users made good was none.
        ([(1, 50), (2, 50), (3, 150)], None),
        # Bending, but every user still brings a fifth of the first.
        ([(1, 50), (2, 60), (3, 70)], None),
        # Falling or equal users say nothing.
        ([(4, 200), (2, 100), (2, 100)], None),
        ([(1, 50)], None),
        ([], None),
        # Too few completions to rest on.
        ([(1, 5), (2, 5)], None),
    ],
)
def test_the_knee(rows: list[tuple[int, float]], users: int | None) -> None:
    knee = knee_of(_levels(*rows))
    assert (knee and knee.users) == users


def test_words() -> None:
    assert rate_words(Arrivals(12.5, 1, "poisson")) == "12.5/s poisson"
    held = Confirmation(
        "held", (), 0.8, 3000, 40, 30, "constant", 39.9, 1200, 0, 1200, 3, 0, 0, 10, 20, 30, 9, 19, 29, "met", "steady"
    )
    lines = [line.plain for line in confirmation_lines(held)]
    assert lines == [
        "Confirmation: held, 80 % of the best rate as an open workload, 40/s constant for 30 s",
        "  39.9/s achieved, 0 errors; response p50 10.0, p95 20.0, p99 30.0 ms",
        "  service p99 29.0 ms; 3 late, 0 dropped; threshold met; backlog steady",
    ]
    (line,) = confirmation_lines(unconfirmed(0.8, "not tried: no rate held the conditions"))
    assert line.plain == "Confirmation: undecided, not tried: no rate held the conditions"
