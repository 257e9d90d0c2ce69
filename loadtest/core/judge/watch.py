"""The latency threshold, watched window by window: which level a window belongs to, and what the run says so far.

The rule itself is in `stats/run_evidence.py`. The controller asks a `LatencyWatch` while the run goes, and
`judge/verdicts.py` shows the windows of a finished run to another one: what decides live and what a result says are
the same object. No clock, no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.judge.stop.latency import LatencyRule
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.marks import client_limited, persists, times_longer
from loadtest.core.measure.window import Window
from loadtest.core.stats.run_evidence import Answer, Judgement
from loadtest.core.traffic.curve import Level
from loadtest.core.traffic.plan import Plan

__all__ = ["ROLLING_S", "LatencyWatch", "Opinion", "is_told"]

ROLLING_S = 60.0  # what is said of a piece of a ramp is said of the minute that ends with it
ROLLING_SPENT = 0.1  # of alpha: a rolling stretch is a new sample again and again
PATIENCE = 0.02  # what stops nothing is asked again when the stretch has grown by this share
CONFIRM = 10  # windows between two confirmations of a "met"
RECENT = 120  # windows whose marks are kept


@dataclass(frozen=True, slots=True)
class Opinion:
    """The judgement of the level, or of a ramp's piece, that the run is in.

    level: index of the curve's level; None: the windows so far lie in none. ramp: it is a piece of one.
    since_s: since when the answer is this one. clock: whose latency was compared. withheld: it is "not met", but the
    generator set the pace (S10). blind: the model's clock was asked for and is not told, so that a latency on the
    client's, an upper bound, can show that the threshold is met and nothing else (S4).
    """

    level: int | None
    judgement: Judgement
    since_s: float
    users: int
    clock: str
    ramp: bool = False
    withheld: bool = False
    blind: bool = False

    @property
    def broken(self) -> bool:
        """Not met, and neither is the generator to blame nor another clock."""
        return self.judgement.answer == "not met" and not self.withheld and not self.blind

    @property
    def answer(self) -> Answer:
        """What may be said: a "not met" that is withheld, or on another clock than the one asked for, is no verdict."""
        return "undecided" if self.judgement.answer == "not met" and not self.broken else self.judgement.answer


class LatencyWatch:
    """Judges the windows of one run, in order.

    A level, or a piece of a ramp, that was once found broken stays so: no later window of it is asked about.
    """

    def __init__(self, plan: Plan, rule: LatencyRule) -> None:
        self._levels = plan_levels(plan)
        self._rule = rule
        self._stages = _stages(self._levels)
        length_s: dict[int, float] = {}
        for level in self._levels:
            stage = self._stages[level.index]
            length_s[stage] = length_s.get(stage, 0.0) + level.end_s - level.start_s
        self.run = rule.evidence_over(tuple(length_s.values()))
        self._model_clock = plan.options.latency_clock != "client"
        self._model_only = plan.options.latency_clock == "model"
        self._window_s = plan.options.window_s
        self._open = plan.arrivals is not None  # its latencies contain what the generator was late
        self._level: int | None = None
        self._ramp = False
        self._number = 0  # of the stage, from 1
        # (start_s, marked, times longer than a window should be)
        self._marks: deque[tuple[float, bool, int]] = deque(maxlen=RECENT)
        self._opinions: dict[int, Opinion] = {}
        self._last: Window | None = None  # of the level
        self._ask_at = 0  # window of the run's evidence
        self.opinion: Opinion | None = None

    @property
    def opinions(self) -> Mapping[int, Opinion]:
        """The last opinion on each level so far, by its index."""
        return self._opinions

    def observe(self, window: Window) -> Decision | None:
        """Take the next window; a Decision if the run's threshold is not met, and the generator is not to blame."""
        if not self._belongs(window):
            return None
        counts, stage = window.counts, None if self._level is None else self._stages[self._level]
        breach = self.run.observe(window.start_s, window.end_s, counts.judged, counts.over, counts.over_batches, stage)
        self._marks.append((window.start_s, bool(client_limited(window)), times_longer(window, self._window_s)))
        self._last = window
        if not self._settled:
            if breach is not None:
                self._say(window, breach)
            elif len(self.run.timeline) >= self._ask_at or self._was_broken:
                self._stand(window)
        if self.opinion is None or not self.opinion.broken:
            return None
        return Decision(Reason.LATENCY, self.evidence())

    def finish(self) -> None:
        """Ask about the level a last time: it, or the run, is over."""
        if self._last is not None and not self._settled and not self._was_broken:
            self._stand(self._last)

    def evidence(self) -> dict[str, Any]:
        """The facts of the current opinion; {} before the first request."""
        opinion = self.opinion
        if opinion is None:
            return {}
        return {
            **self._rule.evidence(opinion.judgement),
            "clock": opinion.clock,
            "level": None if opinion.ramp else opinion.level,
            "users": opinion.users,
            "decided_at_s": opinion.since_s,
        }

    def progress(self) -> Mapping[str, Any]:
        """The level's share over the limit and what can be said about it."""
        opinion = self.opinion
        said = "undecided" if opinion is None else opinion.answer
        n, over = self.run.timeline.counts(self._from(), len(self.run.timeline))
        return {
            "over_share": over / n if n else 0.0,
            "allowed_share": self._rule.allowed,
            "requests": int(n),
            "verdict": said,
        }

    @property
    def _settled(self) -> bool:
        return self._level is not None and self._level in self._opinions and self._opinions[self._level].broken

    @property
    def _was_broken(self) -> bool:
        return self.opinion is not None and self.opinion.judgement.answer == "not met"

    def _belongs(self, window: Window) -> bool:
        """Move on to the window's level; False: it belongs to none (it straddles two stairs, or drains)."""
        if not window.users:
            return False
        level = None if window.level is None else self._levels[window.level]
        if level is None:
            return self._ramp
        if level.index == self._level:
            return True
        self.finish()
        same = self._level is not None and self._stages[level.index] == self._stages[self._level]
        if not same:
            self._number += 1
            self.opinion = None
        elif self.opinion is not None:
            # The next piece of a ramp: what its rolling stretch says is known already, but nothing of it is settled.
            self.opinion = replace(self.opinion, level=level.index)
        self._level, self._ramp = level.index, level.from_users != level.users
        self._ask_at = 0
        return True

    def _from(self) -> int:
        """The window from which on a level, or a ramp's last minute, is told about."""
        begin = self.run.level_begin
        if not self._ramp or self._last is None:
            return min(begin, len(self.run.timeline))
        return max(begin, self.run.timeline.first_after(self._last.end_s - ROLLING_S))

    def _stand(self, window: Window) -> None:
        size, first = len(self.run.timeline), self._from()
        k = self._number
        standing = self.run.standing(first, spent=ROLLING_SPENT if self._ramp else 1 / (k * (k + 1)))
        # A "met" is only confirmed now and then: it ends nothing.
        least = CONFIRM if standing.answer == "met" else 1
        self._ask_at = size + max(least, int(PATIENCE * (size - first)))
        self._say(window, standing)

    def _say(self, window: Window, judgement: Judgement) -> None:
        before = self.opinion
        same = before is not None and before.judgement.answer == judgement.answer
        on_model = self._model_clock and window.latencies.model.p50_ms is not None
        known = before.clock if before is not None and not window.ok else "model" if on_model else "client"
        # Of the stretch that the judgement is of, which may have begun in an earlier level.
        marks = [(marked, times) for start_s, marked, times in self._marks if start_s >= judgement.from_s - 1e-6]
        limited = persists([marked for marked, times in marks for _ in range(times)], at_once=self._open)
        self.opinion = Opinion(
            level=self._level,
            judgement=judgement,
            since_s=before.since_s if same and before is not None else window.end_s,
            users=window.users,
            clock=known,
            ramp=self._ramp,
            withheld=judgement.answer == "not met" and limited,
            blind=self._model_only and known != "model",
        )
        if self._level is not None:
            self._opinions[self._level] = self.opinion


def is_told(plan: Plan, windows: Iterable[Window]) -> bool:
    """Latencies are on the clock that the plan asks for: not, if it is the model's alone and no answer told it."""
    return plan.options.latency_clock != "model" or any(window.latencies.model.encoded for window in windows)


def _stages(levels: tuple[Level, ...]) -> dict[int, int]:
    """Of each level, what the evidence takes for one level: itself, or a whole ramp by its first piece's index."""
    found: dict[int, int] = {}
    ramp: int | None = None
    for level in levels:
        if level.from_users == level.users:
            ramp, found[level.index] = None, level.index
        else:
            ramp = found[level.index] = level.index if ramp is None else ramp
    return found
