"""Stretches of a run in which the endpoint answered nothing well. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from loadtest.core.measure.window import Window

__all__ = ["silences", "silent_share"]

LEAST_S = 1.5
NEXT_TO_NOTHING = 0.1  # of what was answered
SLOW = 2.0  # times the longest latency: with answers that take long, some time without one is to be expected


def silences(windows: Sequence[Window], least: float = 0.0) -> tuple[tuple[float, float], ...]:
    """(start_s, end_s) of each stretch of windows with users and without a success, longer than can be expected.

    windows: of the traffic, in time order. least: successes that are fewer than this share of the answers are none.
    Expected is twice the longest latency of a success, at least 1.5 s. The
    time before the first success counts too: an endpoint that warms up is one that does not answer.
    """
    longest_s = max((window.latencies.client.max_ms or 0.0 for window in windows), default=0.0) / 1000
    found = []
    for silent, part in groupby(windows, lambda window: window.users > 0 and not _succeeds(window, least)):
        stretch = list(part)
        start_s, end_s = stretch[0].start_s, stretch[-1].end_s
        if silent and end_s - start_s > max(LEAST_S, SLOW * longest_s):
            found.append((start_s, end_s))
    return tuple(found)


def silent_share(windows: Sequence[Window]) -> float:
    """Share of the traffic's time in which the endpoint answered next to nothing well, 0..1: fewer than a tenth.

    windows: as for `silences`.
    """
    traffic_s = sum(window.length_s for window in windows if window.users)
    silent_s = sum(end_s - start_s for start_s, end_s in silences(windows, NEXT_TO_NOTHING))
    return min(1.0, silent_s / traffic_s) if traffic_s > 0 else 0.0


def _succeeds(window: Window, least: float) -> bool:
    return window.ok > 0 and window.ok >= least * window.completed
