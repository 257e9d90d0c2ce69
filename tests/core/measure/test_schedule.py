"""The schedule's audit as a table."""

from __future__ import annotations

import pytest
from windows import flat_frame

from loadtest.core.measure.record import Frame, Recorder
from loadtest.core.measure.schedule import LATE_S, Schedule, UserChange, audit


def start(user: int, planned_s: float, lag_s: float) -> UserChange:
    return UserChange(user, "start", planned_s, planned_s + lag_s)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], Schedule("kept", 0, 0.0, 0.0)),
        ([start(0, 0.0, 0.001), start(1, 0.0, 0.003)], Schedule("kept", 2, 3.0, 2.0)),
        ([start(0, 0.0, LATE_S)], Schedule("kept", 1, 250.0, 250.0)),
        ([start(0, 0.0, 0.0), start(1, 0.0, 0.5)], Schedule("late", 2, 500.0, 250.0)),
        # A user leaves after its request in flight (T5): that is not lateness.
        ([start(0, 0.0, 0.001), UserChange(0, "stop", 1.0, 9.0)], Schedule("kept", 1, 1.0, 1.0)),
    ],
)
def test_audit(changes: list[UserChange], expected: Schedule) -> None:
    found = audit(changes)
    assert (found.verdict, found.started) == (expected.verdict, expected.started)
    assert (found.max_lag_ms, found.mean_lag_ms) == pytest.approx((expected.max_lag_ms, expected.mean_lag_ms))
    assert Schedule.from_dict(found.to_dict()) == found


def test_without_changes_the_windows_tell() -> None:
    def frame(index: int, spawned: int, lag_sum_s: float, lag_max_s: float) -> Frame:
        return flat_frame(
            index, index, index + 1, 0, 2, 2, 2, spawned=spawned, spawn_lag_sum_s=lag_sum_s, spawn_lag_max_s=lag_max_s
        )

    windows = [Recorder().take(frame(0, 2, 0.030, 0.020)), Recorder().take(frame(1, 1, 0.6, 0.6))]
    found = audit([], windows)
    assert (found.verdict, found.started) == ("late", 3)
    assert (found.max_lag_ms, found.mean_lag_ms) == pytest.approx((600, 210))
