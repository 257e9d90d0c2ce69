"""What a search reads from a window: failures are over every limit, and whose clock counts (S4)."""

from __future__ import annotations

import numpy as np
import pytest
from windows import flat_window

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.request.spec import LatencyClock
from loadtest.core.search.reading import criteria_of, reading_of

CRITERIA = criteria_of(SearchSettings((Objective(0.95, 100), Objective(0.5, 60)), max_error_ratio=0.01))


def encoded(*values_ms: float) -> str:
    histogram = Histogram()
    histogram.record(np.array([round(1000 * value) for value in values_ms], np.int64))
    return histogram.encode()


def window(**members: object) -> Window:
    own = {"ok": 4, "level": 0, "users": 1, "latency": encoded(50, 80, 120, 150)}
    return flat_window(**{**own, **members})


def test_failures_are_over_every_limit() -> None:
    reading = reading_of(window(error_kinds={"timeout": 2}, errors={"timeout": 2}), CRITERIA)
    assert (reading.n, reading.ok) == (6, 4)
    assert reading.over == (4, 5, 2)


@pytest.mark.parametrize(
    ("clock", "model", "over", "by_model"),
    [
        ("client", (40, 50, 90, 110), (2, 3, 0), False),
        ("auto", (40, 50, 90, 110), (1, 2, 0), True),
        ("model", (40, 50, 90, 110), (1, 2, 0), True),
        ("auto", (), (2, 3, 0), False),
        ("auto", (40, 50, 90), (2, 3, 0), False),
    ],
    ids=["the client's", "the model's where it is told", "the model's", "it is not told", "not for every success"],
)
def test_whose_latency_counts(
    clock: LatencyClock, model: tuple[float, ...], over: tuple[int, ...], by_model: bool
) -> None:
    reading = reading_of(window(model_latency=encoded(*model) if model else ""), CRITERIA, clock)
    assert (reading.over, reading.by_model) == (over, by_model)


def test_of_an_open_workload_the_time_from_when_a_request_was_due_counts() -> None:
    reading = reading_of(window(response=encoded(50, 130, 140, 150)), CRITERIA, "client")
    assert reading.over == (3, 3, 0)
