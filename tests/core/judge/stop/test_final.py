"""A run that passes for good although the endpoint had ceased to answer well."""

from __future__ import annotations

import pytest
from windows import changed

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.stop.final import final_stop


def _as(kind, windows):
    """The same windows, their failures all of that kind."""
    return [changed(w, errors={kind: w.failed} if w.failed else {}) for w in windows]


@pytest.mark.parametrize(
    ("ok", "failed", "drained", "down"),
    [
        pytest.param([0] * 4, [0] * 4, (0, 3), True, id="requests hung, and were cut"),
        pytest.param([0] * 4, [5] * 4, (0, 0), True, id="nothing ever succeeded"),
        pytest.param([0] * 4, [0] * 4, (2, 3), False, id="slow, but the first answers came"),
        pytest.param([0] * 4, [0] * 4, (0, 0), False, id="nothing was tried"),
        pytest.param([50] * 4 + [0] * 3, [0] * 4 + [20] * 3, (0, 4), True, id="it died"),
        pytest.param([50] * 4 + [0] * 3, [0] * 4 + [20] * 3, (1, 3), False, id="it died, but answered in the end"),
        pytest.param([50] * 4 + [0] * 3 + [1], [0] * 4 + [20] * 3 + [0], (0, 0), False, id="it came back"),
        pytest.param([50] * 5 + [0] * 2, [0] * 5 + [20] * 2, (0, 4), False, id="two windows may be bad luck"),
        pytest.param([50] * 4 + [0] * 3, [0] * 4 + [3] * 3, (0, 0), False, id="and so may be nine failures"),
        pytest.param([50] * 8, [9] * 8, (0, 0), False, id="failures beside successes"),
    ],
)
def test_the_end_of_a_run(make_windows, ok, failed, drained, down) -> None:
    windows = [
        *_as("connection", make_windows(ok, failed=failed, max_ms=20.0)),
        *_as("cut", make_windows(drained[:1], failed=drained[1:], first=len(ok), users=0, level=None)),
    ]
    for reason in (Reason.CURVE_END, Reason.JOB_DURATION, Reason.LATENCY):
        found = final_stop(Stop(reason, {"a": 1}), windows, float(len(ok)))
        assert found.reason is (Reason.TARGET_DOWN if down else reason)
        if down:
            dry = [window for window in windows if not window.ok]
            assert found.evidence["failed"] in (sum(w.failed for w in dry), sum(w.failed for w in dry if w.users))
            assert sum(found.evidence["kinds"].values()) == found.evidence["failed"]
        else:
            assert found == Stop(reason, {"a": 1})


@pytest.mark.parametrize("reason", [Reason.USER, Reason.ERRORS, Reason.ENGINE_LOST, Reason.MAX_INVOCATIONS])
def test_other_reasons_stand(make_windows, reason) -> None:
    assert final_stop(Stop(reason), make_windows([0] * 9, failed=[9] * 9), None) == Stop(reason)


def test_an_endpoint_that_takes_long_is_not_silent(make_windows) -> None:
    """Seconds without an answer are to be expected of one whose answers take seconds."""
    windows = _as("connection", make_windows([3] * 5 + [0] * 4, failed=[0] * 5 + [4] * 4, max_ms=3000.0))
    assert final_stop(Stop(Reason.CURVE_END), windows, None).reason is Reason.CURVE_END
    quick = [changed(window, max_ms=100.0) for window in windows]
    assert final_stop(Stop(Reason.CURVE_END), quick, None).reason is Reason.TARGET_DOWN


@pytest.mark.parametrize("kind", ["throttled", "timeout", "server_error"])
def test_an_endpoint_that_too_much_load_overcame_is_not_gone(make_windows, kind) -> None:
    windows = _as(kind, make_windows([50] * 5 + [0] * 4, failed=[0] * 5 + [40] * 4, max_ms=100.0))
    for reason in (Reason.CURVE_END, Reason.LATENCY):
        assert final_stop(Stop(reason), windows, None).reason is reason


def test_a_pause_of_the_users_is_no_silence(make_windows) -> None:
    windows = [
        *make_windows([50] * 5, max_ms=20.0),
        *make_windows([0] * 4, first=5, users=0),
        *_as("connection", make_windows([0] * 2, failed=[20] * 2, first=9)),
    ]
    assert final_stop(Stop(Reason.CURVE_END), windows, None).reason is Reason.CURVE_END
