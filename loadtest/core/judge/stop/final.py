"""The last word on a run that is over: had the endpoint ceased to answer well? No clock, no state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.stop.errors import kinds_of, own_reason
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.silence import silences
from loadtest.core.measure.window import Window

__all__ = ["final_stop"]

MIN_WINDOWS, MIN_FAILURES = 3, 10  # of a silence at the end that is more than bad luck
# By these a run passes, and none of them takes a success. `TargetDown` needs longer than some runs last, requests that
# hang are seen only when they are cut, and failures count as over a latency threshold.
DOUBTFUL = frozenset({Reason.CURVE_END, Reason.JOB_DURATION, Reason.LATENCY})


def final_stop(stop: Stop, windows: Sequence[Window], stopped_at_s: float | None) -> Stop:
    """`stop`, or TARGET_DOWN: nothing succeeded though something was tried, or the endpoint was gone at the end.

    Where all that failed was the sender's own it is CREDENTIALS or LOCAL_LIMIT instead.
    windows: all, in time order, the draining included, in which the last requests may still succeed. stopped_at_s: when
    the draining began; None: not told. It was gone if the traffic ended in a silence (`silences`) of at least 3 windows
    and 10 failures, most of them of the connection, with no success after it. An endpoint that answers under too
    much load with errors, or too late, is not gone: to find that point is what a ramp is for.
    """
    if stop.reason not in DOUBTFUL:
        return stop
    dry = windows if not any(window.ok for window in windows) else _gone(windows, stopped_at_s)
    failed = sum(window.failed for window in dry)
    if not failed:
        return stop
    facts = {"without_success_s": round(dry[-1].end_s - dry[0].start_s, 3), "failed": failed, "kinds": kinds_of(dry)}
    return Stop(own_reason(dry) or Reason.TARGET_DOWN, {**facts, "start_s": dry[0].start_s, "end_s": dry[-1].end_s})


def _gone(windows: Sequence[Window], stopped_at_s: float | None) -> Sequence[Window]:
    """The windows of the silence that the traffic ended in, if the endpoint was gone; else ()."""
    ended_s = math.inf if stopped_at_s is None else stopped_at_s
    before = [window for window in windows if window.start_s < ended_s]
    traffic = [window for window in before if window.users]
    quiet = silences(before)
    if not quiet or quiet[-1][1] < traffic[-1].end_s:
        return ()
    if any(window.ok for window in windows if window.index > traffic[-1].index):
        return ()
    dry = [window for window in traffic if window.start_s >= quiet[-1][0]]
    failed = sum(window.failed for window in dry)
    unconnected = sum(window.counts.errors.get(Kind.CONNECTION.value, 0) for window in dry)
    return dry if len(dry) >= MIN_WINDOWS and failed >= MIN_FAILURES and unconnected > failed / 2 else ()
