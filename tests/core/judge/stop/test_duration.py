from __future__ import annotations

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.stop.duration import Duration


@pytest.mark.parametrize(
    ("end_s", "limit_s", "now_s", "reason"),
    [
        (100.0, None, 99.9, None),
        (100.0, None, 100.0, Reason.CURVE_END),
        (100.0, 200.0, 100.0, Reason.CURVE_END),
        (100.0, 100.0, 100.0, Reason.CURVE_END),
        (100.0, 50.0, 49.9, None),
        (100.0, 50.0, 50.0, Reason.JOB_DURATION),
        (100.0, 50.0, 200.0, Reason.JOB_DURATION),
    ],
)
def test_which_end_comes_first(end_s, limit_s, now_s, reason) -> None:
    decision = Duration(end_s, limit_s).check(now_s)
    assert (decision and decision.reason) == reason


def test_progress_is_of_the_nearer_end() -> None:
    assert Duration(100.0, 50.0).progress(25.0) == 0.5
    assert Duration(100.0).progress(25.0) == 0.25
    assert Duration(100.0).progress(250.0) == 1.0
