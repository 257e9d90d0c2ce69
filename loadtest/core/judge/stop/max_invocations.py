"""MaxInvocations: stop when the rate of successes reaches the target (S1). Reaching it is a success.

A rate is only a rate over a full rolling window (a minute by default): a spike of one second is not one, and a test
shorter than that never stops here. No clock, no state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.measure.window import Window

__all__ = ["MaxInvocations"]

SLACK_S = 1e-6  # window bounds are sums of floats


@dataclass(frozen=True, slots=True)
class MaxInvocations:
    """The rule that ends a run at its target rate. target_per_min: successes per minute. window_s: length of the
    rolling window the rate is taken over.
    """

    target_per_min: int
    window_s: float = 60.0

    def check(self, windows: Sequence[Window]) -> Decision | None:
        """windows: the latest ones, consecutive, at least `window_s` of them if the run is that old."""
        stretch = self._stretch(windows)
        if stretch is None:
            return None
        ok, start_s, end_s = stretch
        rate_per_min = 60 * ok / (end_s - start_s)
        if rate_per_min < self.target_per_min:
            return None
        return Decision(
            Reason.MAX_INVOCATIONS,
            {
                "rate_per_min": round(rate_per_min, 3),
                "target_per_min": self.target_per_min,
                "ok": ok,
                "start_s": start_s,
                "end_s": end_s,
            },
        )

    def progress(self, windows: Sequence[Window]) -> float:
        """How near: the rolling rate over the target, 0..1; before a full window, what it has so far."""
        stretch = self._stretch(windows)
        ok = sum(window.ok for window in windows) if stretch is None else stretch[0]
        length_s = self.window_s if stretch is None else stretch[2] - stretch[1]
        return min(1.0, 60 * ok / length_s / self.target_per_min)

    def _stretch(self, windows: Sequence[Window]) -> tuple[int, float, float] | None:
        """(successes, start_s, end_s) of the shortest stretch of whole windows that is long enough; None: none is."""
        ok = 0
        end_s = windows[-1].end_s if windows else 0.0
        for window in reversed(windows):
            ok += window.ok
            if end_s - window.start_s >= self.window_s - SLACK_S:
                return ok, window.start_s, end_s
        return None
