from __future__ import annotations

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.judge.stop.errors import ErrorBudget, TargetDown


@pytest.mark.parametrize(
    ("ratio", "ok", "failed", "stops"),
    [
        pytest.param(0.01, [9], [1], False, id="one of the first ten proves nothing"),
        pytest.param(0.01, [50] * 60, [0] * 60, False, id="none"),
        pytest.param(0.01, [99] * 60, [1] * 60, False, id="at the budget"),
        pytest.param(0.01, [95] * 10, [5] * 10, True, id="five times the budget"),
        pytest.param(0.01, [0], [6], True, id="nothing but failures"),
        pytest.param(0.0, [1000], [1], True, id="a budget of nothing"),
        pytest.param(1.0, [0] * 60, [100] * 60, False, id="everything may fail"),
        pytest.param(0.1, [50] * 30 + [100] * 60, [50] * 30 + [0] * 60, False, id="what is over a minute old is over"),
        pytest.param(0.1, [100] * 300 + [10] * 10, [0] * 300 + [90] * 10, True, id="an old calm does not excuse"),
    ],
)
def test_error_budget(make_windows, ratio, ok, failed, stops) -> None:
    decision = ErrorBudget(ratio).check(make_windows(ok, failed=failed))
    assert (decision is not None) == stops
    if decision is not None:
        assert decision.reason is Reason.ERRORS
        assert decision.evidence["failed"] <= decision.evidence["completed"]
        assert decision.evidence["kinds"] == {"server_error": decision.evidence["failed"]}


def test_the_error_of_a_long_run_is_spent_over_it(make_windows) -> None:
    """What would be luck once in a thousand minutes is no surprise in five hours."""
    windows = make_windows([100] * 10, failed=[3] * 6 + [2] * 4)
    assert ErrorBudget(0.01, run_s=600).check(windows) is not None
    assert ErrorBudget(0.01, run_s=36_000).check(windows) is None


def test_error_budget_progress(make_windows) -> None:
    assert ErrorBudget(0.1).progress(make_windows([95], failed=[5])) == pytest.approx(0.5)
    assert ErrorBudget(0.1).progress(make_windows([5], failed=[95])) == 1.0
    assert ErrorBudget(0.0).progress(make_windows([5], failed=[1])) == 1.0
    assert ErrorBudget(0.1).progress([]) == 0.0


@pytest.mark.parametrize(
    ("ok", "failed", "in_flight", "stops"),
    [
        pytest.param([0] * 29, [3] * 29, 4.0, False, id="not yet"),
        pytest.param([0] * 30, [3] * 30, 4.0, True, id="half a minute of failures"),
        pytest.param([0] * 30, [0] * 29 + [1], 4.0, True, id="one failure is enough to know"),
        pytest.param([0] * 60, [0] * 60, 4.0, False, id="a model may think for a minute"),
        pytest.param([0] * 65, [0] * 65, 4.0, True, id="but not longer"),
        pytest.param([0] * 100, [0] * 100, 0.0, False, id="nothing was tried"),
        pytest.param([1] + [0] * 29, [0] + [3] * 29, 4.0, False, id="the last success is 29 s ago"),
        pytest.param([1] + [0] * 30, [0] + [3] * 30, 4.0, True, id="the last success is 30 s ago"),
        pytest.param([0] * 40 + [1], [3] * 41, 4.0, False, id="it is back"),
        pytest.param([], [], 0.0, False, id="no windows"),
    ],
)
def test_target_down(make_windows, ok, failed, in_flight, stops) -> None:
    decision = TargetDown().check(make_windows(ok, failed=failed, in_flight=in_flight))
    assert (decision is not None) == stops
    if decision is not None:
        assert decision.reason is Reason.TARGET_DOWN
        assert decision.evidence["failed"] == sum(failed)
