"""What marks a window: figures of the generator over their limits, and how long they must be."""

from __future__ import annotations

import pytest
from windows import CALM, changed

from loadtest.core.measure.marks import client_limited, persists


@pytest.mark.parametrize(
    ("members", "codes"),
    [
        pytest.param({}, [], id="calm"),
        pytest.param({"cpu": 0.97}, ["cpu"], id="a core is full"),
        pytest.param({"cpu": 0.89}, [], id="a core is nearly full"),
        pytest.param({"loop_lag_s": 0.15}, ["loop-lag"], id="the loop stood still"),
        pytest.param({"steal": 0.2}, ["steal"], id="the host takes time away"),
        pytest.param({"spawn_lag_max_s": 0.4, "spawned": 1}, ["spawn-lag"], id="a late user"),
        pytest.param({"in_flight": 8.9}, ["little"], id="users wait 2 ms per request"),
        pytest.param({"in_flight": 9.3}, [], id="seven per cent is what a shared machine costs"),
        pytest.param({"in_flight": 9.3, "cpu": 0.7}, ["little"], id="or a generator that is busy"),
        pytest.param({"in_flight": 9.6, "cpu": 0.7}, [], id="four per cent is a loop's cost"),
        pytest.param({"in_flight": 8.9, "ok": 5000}, [], id="0.2 ms per request is a loop's cost"),
        pytest.param({"in_flight": 8.9, "spawned": 2}, [], id="not steady: users have just started"),
        pytest.param({"in_flight": 8.9, "running": 12}, [], id="not steady: users are leaving"),
        pytest.param({"in_flight": 8.9, "level": None}, [], id="not steady: two levels"),
        pytest.param({"in_flight": 5.0, "intended": 500}, [], id="an open workload's users need not be busy"),
        pytest.param({"intended": 500, "very_late": 60}, ["late-sends"], id="an open workload out of breath"),
        pytest.param({"cpu": 1.0, "users": 0}, [], id="draining has no pace"),
    ],
)
def test_marks_of_a_window(members, codes) -> None:
    reasons = client_limited(changed(CALM, **members))
    assert [reason.code for reason in reasons] == codes
    assert all(reason.text and reason.advice for reason in reasons)


def test_the_words_name_the_figure_and_what_helps() -> None:
    (reason,) = client_limited(changed(CALM, cpu=0.97))
    assert reason.text == "the generator used 97% of one core"
    assert reason.advice.startswith("add --workers 2")


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("", False),
        ("x", False),
        (".....x.........", False),
        ("x....x....x....x....", True),
        ("x.....x.....x.....", False),
        ("xx.................", False),
        ("...xxx.............................", True),
        ("xxx", True),
    ],
)
def test_hiccups_and_persistence(marks, expected) -> None:
    assert persists([mark == "x" for mark in marks]) == expected
