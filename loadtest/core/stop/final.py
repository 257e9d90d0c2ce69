"""The last word on a run that is over: had the endpoint ceased to answer well? No clock, no state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.core.decision import Reason, Stop
from loadtest.core.silence import silences
from loadtest.core.stop.errors import kinds_of
from loadtest.core.window import Window

__all__ = ["final_stop"]

MIN_WINDOWS, MIN_FAILURES = 3, 10  # of a silence at the end that is more than bad luck
# By these a run passes, and none of them takes a success. `TargetDown` needs longer than some runs last, requests that
# hang are seen only when they are cut, and failures count as over a latency threshold.
DOUBTFUL = frozenset({Reason.CURVE_END, Reason.JOB_DURATION, Reason.LATENCY})


def final_stop(stop: Stop, windows: Sequence[Window], stopped_at_s: float | None) -> Stop:
    """`stop`, or TARGET_DOWN: nothing succeeded though something was tried, or nothing any more at the end.

    windows: all, in time order, the draining included, in which the last requests may still succeed. stopped_at_s: when
    the draining began; None: not told. The end is a silence (`silences`) that lasts until the traffic's end, of at
    least 3 windows and 10 failures, with no success after it.
    """
    if stop.reason not in DOUBTFUL:
        return stop
    dry = windows if not any(window.ok for window in windows) else _silence_at_the_end(windows, stopped_at_s)
    failed = sum(window.failed for window in dry)
    if not failed:
        return stop
    facts = {"without_success_s": round(dry[-1].end_s - dry[0].start_s, 3), "failed": failed, "kinds": kinds_of(dry)}
    return Stop(Reason.TARGET_DOWN, {**facts, "start_s": dry[0].start_s, "end_s": dry[-1].end_s})


def _silence_at_the_end(windows: Sequence[Window], stopped_at_s: float | None) -> Sequence[Window]:
    """The windows of the traffic's last silence, if it was one to its end and after it; else ()."""
    ended_s = math.inf if stopped_at_s is None else stopped_at_s
    traffic = [window for window in windows if window.users and window.start_s < ended_s]
    quiet = silences(traffic)
    if not quiet or quiet[-1][1] < traffic[-1].end_s or any(w.ok for w in windows if w.start_s >= traffic[-1].end_s):
        return ()
    dry = [window for window in traffic if window.start_s >= quiet[-1][0]]
    enough = len(dry) >= MIN_WINDOWS and sum(window.failed for window in dry) >= MIN_FAILURES
    return dry if enough else ()
