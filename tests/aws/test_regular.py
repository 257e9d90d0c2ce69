"""What is done again and again, until its end."""

from __future__ import annotations

import threading

import pytest

from loadtest.aws.budget import Budget
from loadtest.aws.regular import Regular


def test_it_is_done_again_and_again_and_no_more_after_the_end() -> None:
    twice, calls = threading.Event(), [0]

    def act() -> None:
        calls[0] += 1
        if calls[0] == 2:
            twice.set()
            regular.end()

    regular = Regular(act, 0.001, "test")
    regular.start()
    assert twice.wait(30)
    (thread,) = [each for each in threading.enumerate() if each.name == "loadtest-test"] or [None]
    if thread is not None:
        thread.join(30)
    assert calls == [2]


def test_a_watched_budget_stops_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.aws.budget.LOOK_S", 0.001)
    now, stopped = [0.0], threading.Event()
    budget = Budget(1.0, lambda: now[0])
    budget.begin("a", 1.0, stopped.set)
    budget.created("a")
    with budget.watched():
        now[0] = 3600.0
        assert stopped.wait(30)
    assert budget.cut_short
