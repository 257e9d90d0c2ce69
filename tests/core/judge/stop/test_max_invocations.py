from __future__ import annotations

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.stop.max_invocations import MaxInvocations


@pytest.mark.parametrize(
    ("ok", "target", "window_s", "rate"),
    [
        pytest.param([20] * 60, 1200, 60.0, 1200.0, id="reached exactly in a full minute"),
        pytest.param([20] * 59, 1, 60.0, None, id="never before a full minute, however fast"),
        pytest.param([20] * 60, 1201, 60.0, None, id="one short"),
        pytest.param([0] * 30 + [1000] + [0] * 29, 1001, 60.0, None, id="a spike is not a rate"),
        pytest.param([0] * 60 + [20] * 60, 1200, 60.0, 1200.0, id="the last minute counts, not the average"),
        pytest.param([20] * 60 + [0] * 60, 1, 60.0, None, id="the last minute counts, not the best"),
        pytest.param([20] * 10, 1200, 10.0, 1200.0, id="a shorter rate window"),
        pytest.param([], 1, 60.0, None, id="no windows"),
    ],
)
def test_it_stops_at_a_rate_over_a_full_window(make_windows, ok, target, window_s, rate) -> None:
    decision = MaxInvocations(target, window_s).check(make_windows(ok))
    if rate is None:
        assert decision is None
    else:
        assert decision is not None
        assert decision.reason is Reason.MAX_INVOCATIONS
        assert decision.evidence["rate_per_min"] == rate
        assert decision.evidence["end_s"] - decision.evidence["start_s"] == window_s


def test_failures_are_no_invocations(make_windows) -> None:
    windows = make_windows([10] * 60, failed=[1000] * 60)
    assert MaxInvocations(601).check(windows) is None
    assert MaxInvocations(600).check(windows) is not None


def test_windows_that_do_not_add_up_to_the_minute_exactly(make_windows) -> None:
    decision = MaxInvocations(850).check(make_windows([100] * 9, length_s=7.0))
    assert decision is not None
    assert decision.evidence["end_s"] - decision.evidence["start_s"] == 63.0
    assert decision.evidence["rate_per_min"] == pytest.approx(60 * 900 / 63, abs=1e-3)


@pytest.mark.parametrize(("seconds", "near"), [(0, 0.0), (15, 0.25), (60, 1.0), (120, 1.0)])
def test_progress(make_windows, seconds, near) -> None:
    assert MaxInvocations(600).progress(make_windows([10] * seconds)) == pytest.approx(near)
