"""The latency threshold, watched window by window: which level a window belongs to, and what its counts say so far.

The rule itself is in `judge/stop/latency.py`; this keeps the counts it is asked with, so that a five-hour run costs as
much per window as a short one. The controller asks a `LatencyWatch` while the run goes, and `judge/verdicts.py` shows
the windows of a finished run to another one: what decides live and what a result says are the same object.
No clock, no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.judge.stop.latency import Judgement, LatencyRule
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.marks import client_limited, persists, times_longer
from loadtest.core.measure.window import Window
from loadtest.core.stats.burst import Tally, tally_of
from loadtest.core.traffic.plan import Plan

__all__ = ["ROLLING_S", "LatencyWatch", "Opinion"]

ROLLING_S = 60.0  # what a ramp is judged on
CONFIRM = 10  # windows between two confirmations of a "met"
RECENT = 120  # windows kept for the gross rule: three stretches of 30 requests at one request a second


@dataclass(frozen=True, slots=True)
class Opinion:
    """The judgement of the level, or of a ramp's rolling stretch, that the run is in.

    level: index of the curve's level; None: the windows so far lie in none. ramp: it is the rolling stretch's.
    since_s: since when the answer is this one. clock: whose latency was compared. withheld: it is "not met", but the
    generator set the pace (S10).
    """

    level: int | None
    judgement: Judgement
    since_s: float
    users: int
    clock: str
    ramp: bool = False
    withheld: bool = False

    @property
    def broken(self) -> bool:
        """Not met, and the generator is not to blame."""
        return self.judgement.answer == "not met" and not self.withheld


class LatencyWatch:
    """Judges the windows of one run, in order.

    A level, or a piece of a ramp, that was once found broken stays so: no later window of it is asked about.
    """

    def __init__(self, plan: Plan, rule: LatencyRule) -> None:
        self._rule = rule
        self._levels = plan_levels(plan)
        self._model_clock = plan.options.latency_clock != "client"
        self._window_s = plan.options.window_s
        self._level: int | None = None
        self._ramp = False
        self._tally = Tally()
        self._recent: deque[tuple[float, Counts]] = deque(maxlen=RECENT)  # (start_s, counts)
        self._marks: deque[tuple[bool, int]] = deque(maxlen=RECENT)  # (marked, times longer than a window should be)
        self._opinions: dict[int, Opinion] = {}
        self.opinion: Opinion | None = None

    @property
    def opinions(self) -> Mapping[int, Opinion]:
        """The last opinion on each level so far, by its index."""
        return self._opinions

    def observe(self, window: Window) -> Decision | None:
        """Take the next window; a Decision if its level's threshold is not met, and the generator is not to blame."""
        if not self._belongs(window):
            return None
        self._recent.append((window.start_s, window.counts))
        self._marks.append((bool(client_limited(window)), times_longer(window, self._window_s)))
        if self._ramp:
            self._forget(window.end_s - ROLLING_S)
            self._tally = tally_of(counts for _, counts in self._recent)
        else:
            self._tally = self._tally.plus(window.counts)
        settled = self._level is not None and self._level in self._opinions and self._opinions[self._level].broken
        if not settled and self._due(window):
            self._ask(window)
        if self.opinion is None or not self.opinion.broken:
            return None
        return Decision(Reason.LATENCY, self.evidence())

    def evidence(self) -> dict[str, Any]:
        """The facts of the current opinion; {} before the first request."""
        opinion = self.opinion
        if opinion is None:
            return {}
        facts = self._rule.evidence(opinion.judgement, rolling=opinion.ramp)
        return {
            **facts,
            "clock": opinion.clock,
            "level": None if opinion.ramp else opinion.level,
            "users": opinion.users,
            "decided_at_s": opinion.since_s,
        }

    def progress(self) -> Mapping[str, Any]:
        """The level's share over the limit and what can be said about it."""
        judgement = None if self.opinion is None else self.opinion.judgement
        n, over = self._tally.n, self._tally.over
        return {
            "over_share": over / n if n else 0.0,
            "allowed_share": self._rule.allowed,
            "requests": n,
            "verdict": "undecided" if judgement is None else judgement.answer,
        }

    def _belongs(self, window: Window) -> bool:
        """Move on to the window's level; False: it belongs to none (it straddles two stairs, or drains)."""
        if not window.users:
            return False
        level = None if window.level is None else self._levels[window.level]
        if level is None:
            return self._ramp
        ramp = level.from_users != level.users
        if ramp != self._ramp or (not ramp and level.index != self._level):
            self._recent.clear()
            self._marks.clear()
            self._tally = Tally()
            self.opinion = None
        elif level.index != self._level and self.opinion is not None:
            # The next piece of a ramp: what its rolling stretch says is known already, but nothing of it is settled.
            self.opinion = replace(self.opinion, level=level.index)
        self._level, self._ramp = level.index, ramp
        return True

    def _forget(self, before_s: float) -> None:
        while self._recent[0][0] < before_s - 1e-6:
            self._recent.popleft()
            self._marks.popleft()

    def _due(self, window: Window) -> bool:
        """A "met" is only confirmed now and then: it ends nothing. What could break it is looked at in every window."""
        if self.opinion is None or self.opinion.judgement.answer != "met" or window.index % CONFIRM == 0:
            return True
        return max(self._tally.share, window.counts.over / max(window.completed, 1)) > self._rule.allowed

    def _limited(self) -> bool:
        return persists(marked for marked, times in self._marks for _ in range(times))

    def _ask(self, window: Window) -> None:
        judgement = self._rule.judge(self._tally, [counts for _, counts in self._recent], rolling=self._ramp)
        before = self.opinion
        same = before is not None and before.judgement.answer == judgement.answer
        on_model = self._model_clock and window.latencies.model.p50_ms is not None
        known = before.clock if before is not None and not window.ok else "model" if on_model else "client"
        self.opinion = Opinion(
            level=self._level,
            judgement=judgement,
            since_s=before.since_s if same and before is not None else window.end_s,
            users=window.users,
            clock=known,
            ramp=self._ramp,
            withheld=judgement.answer == "not met" and self._limited(),
        )
        if self._level is not None:
            self._opinions[self._level] = self.opinion
