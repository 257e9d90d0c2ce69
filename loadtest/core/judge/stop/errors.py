"""Failures: stop over an error budget, and when nothing succeeds any more (S7). No clock, no state."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.core.stats.evidence import log_over

__all__ = ["ErrorBudget", "TargetDown", "kinds_of", "own_reason"]

# Credentials do not get better by being tried again; descriptors and ports may be given back.
OWN_LIMIT_S = {Reason.CREDENTIALS: 3.0, Reason.LOCAL_LIMIT: 10.0}
ALPHA = 0.01  # of a run
ALPHA_WINDOW = 0.001  # of a rolling window, however short the run


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The rule that ends a run with too many failures.

    max_ratio: failures / all, 0..1, that may not be exceeded over the last `window_s`. run_s: planned length.

    One failure among the first ten requests is 10 %, and says nothing about a budget of 1 %. So the budget counts as
    exceeded when the evidence does (`loadtest.core.stats.evidence`). Of the probability of being wrong, 1 % a run,
    every `window_s` of it gets its part, 0.1 % at most; a budget of 0 is exceeded by the first failure. Failures are
    not corrected for bursts: a burst of failures is an outage.
    """

    max_ratio: float
    window_s: float = 60.0
    run_s: float = 600.0

    def check(self, windows: Sequence[Window]) -> Decision | None:
        """windows: the latest ones, at least `window_s` of them if the run is that old."""
        recent = _last(windows, self.window_s)
        completed, failed = _answered(recent)
        if not failed or self.max_ratio >= 1:
            return None
        alpha = min(ALPHA_WINDOW, ALPHA * self.window_s / self.run_s)
        if self.max_ratio > 0 and log_over(completed, failed, self.max_ratio) < -math.log(alpha):
            return None
        return Decision(
            Reason.ERRORS,
            {
                "error_ratio": failed / completed,
                "max_error_ratio": self.max_ratio,
                "failed": failed,
                "completed": completed,
                "start_s": recent[0].start_s,
                "end_s": recent[-1].end_s,
                "kinds": kinds_of(recent),
            },
        )

    def progress(self, windows: Sequence[Window]) -> float:
        """The ratio of the last `window_s` over the budget, 0..1."""
        recent = _last(windows, self.window_s)
        completed, failed = _answered(recent)
        if not failed:
            return 0.0
        return min(1.0, failed / completed / self.max_ratio) if self.max_ratio else 1.0


@dataclass(frozen=True, slots=True)
class TargetDown:
    """No success for `limit_s` although requests failed; or for `silent_s` while requests stayed unanswered.

    A model may take 60 s for one answer (the limit of InvokeEndpoint), so silence alone is given longer. Where all that
    failed was the sender's own, nothing is said of the endpoint: CREDENTIALS or LOCAL_LIMIT, after OWN_LIMIT_S.
    """

    limit_s: float = 30.0
    silent_s: float = 65.0

    def check(self, windows: Sequence[Window]) -> Decision | None:
        """windows: the latest ones, at least `silent_s` of them if the run is that old."""
        dry: list[Window] = []
        for window in reversed(windows):
            if window.ok:
                break
            dry.append(window)
        if not dry:
            return None
        length_s = dry[0].end_s - dry[-1].start_s
        failed = sum(window.failed for window in dry)
        tried = failed or any(window.load.in_flight > 0 for window in dry)
        own = own_reason(dry)
        limit_s = OWN_LIMIT_S[own] if own is not None else self.limit_s if failed else self.silent_s
        if not tried or length_s < limit_s - 1e-6:
            return None
        return Decision(
            own or Reason.TARGET_DOWN,
            {
                "without_success_s": round(length_s, 3),
                "failed": failed,
                "in_flight": round(dry[0].load.in_flight, 3),
                "start_s": dry[-1].start_s,
                "end_s": dry[0].end_s,
                "kinds": kinds_of(dry),
            },
        )


def _last(windows: Sequence[Window], length_s: float) -> Sequence[Window]:
    """The windows that lie in the last `length_s`."""
    first_s = windows[-1].end_s - length_s - 1e-6 if windows else 0.0
    return [window for window in windows if window.start_s >= first_s] or [*windows][-1:]


def own_reason(windows: Sequence[Window]) -> Reason | None:
    """Why nothing succeeded in windows without a success, if it was all the sender's own; None: it was not."""
    failed = sum(window.failed for window in windows)
    if not failed or failed > sum(window.counts.own for window in windows):
        return None
    refused = sum(window.counts.errors.get(Kind.CREDENTIALS.value, 0) for window in windows)
    return Reason.CREDENTIALS if refused > failed / 2 else Reason.LOCAL_LIMIT


def _answered(windows: Sequence[Window]) -> tuple[int, int]:
    """(completed, failed) of what the endpoint had to do with."""
    return sum(w.counts.judged for w in windows), sum(w.failed - w.counts.own for w in windows)


def kinds_of(windows: Sequence[Window]) -> dict[str, int]:
    """Failures by kind and detail, the most frequent first."""
    total: Counter[str] = Counter()
    for window in windows:
        total.update(window.counts.details or window.counts.errors)
    return dict(total.most_common(5))
