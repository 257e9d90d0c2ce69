"""Time: the traffic ends with its curve, or with the job's limit (T8, T10). No clock: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.core.judge.decision import Decision, Reason

__all__ = ["Duration"]


@dataclass(frozen=True, slots=True)
class Duration:
    """The rule that ends a run when its time has come. curve_end_s: the traffic pattern's end. limit_s: the hard end;
    None: there is none.
    """

    curve_end_s: float
    limit_s: float | None = None

    def check(self, now_s: float) -> Decision | None:
        """CURVE_END at the pattern's end, JOB_DURATION at a limit before it."""
        if self.limit_s is not None and self.limit_s < self.curve_end_s:
            if now_s >= self.limit_s:
                return Decision(
                    Reason.JOB_DURATION, {"limit_s": self.limit_s, "left_s": round(self.curve_end_s - self.limit_s, 6)}
                )
        elif now_s >= self.curve_end_s:
            return Decision(Reason.CURVE_END, {"end_s": self.curve_end_s})
        return None

    def progress(self, now_s: float) -> float:
        """Share of the traffic's time that is over, 0..1."""
        end_s = self.curve_end_s if self.limit_s is None else min(self.curve_end_s, self.limit_s)
        return min(1.0, max(0.0, now_s / end_s))
