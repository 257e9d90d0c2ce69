"""The latency threshold, watched window by window: which level a window belongs to, and what its counts say so far.

The rule itself is `loadtest.core.judge.stop.latency`; this keeps the counts it is asked with, so that a five-hour run costs
as much per window as a short one. The controller asks it while the run goes, and `verdicts` replays the windows of a
finished one, so both always agree. No clock, no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.judge.stop.latency import BATCH, Judgement, LatencyRule
from loadtest.core.judge.trust import client_limited, persists
from loadtest.core.judge.verdict import LatencyVerdict
from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.stats.burst import Tally, design_effect, tally_of
from loadtest.core.traffic.plan import Plan

__all__ = ["LatencyWatch", "Opinion", "overall", "verdicts"]

ROLLING_S = 60.0  # what a ramp is judged on
CONFIRM = 10  # windows between two confirmations of a "met"
RECENT = 120  # windows kept for the gross rule: three stretches of 30 requests at one request a second
WITHHELD = "withheld: the load generator set the pace"


@dataclass(frozen=True, slots=True)
class Opinion:
    """The judgement of the level, or of a ramp's rolling stretch (level None), that the run is in.

    since_s: since when the answer is this one. clock: whose latency was compared. withheld: it is "not met", but the
    generator set the pace (S10).
    """

    level: int | None
    judgement: Judgement
    since_s: float
    users: int
    clock: str
    withheld: bool = False


class LatencyWatch:
    """Judges the windows of one run, in order."""

    def __init__(self, plan: Plan, rule: LatencyRule) -> None:
        self._rule = rule
        self._levels = plan_levels(plan)
        self._model_clock = plan.options.latency_clock != "client"
        self._level: int | None = None
        self._ramp = False
        self._tally = Tally()
        self._recent: deque[Window] = deque(maxlen=RECENT)
        self._marks: deque[bool] = deque(maxlen=RECENT)
        self.opinion: Opinion | None = None

    def observe(self, window: Window) -> Decision | None:
        """Take the next window; a Decision if its level's threshold is not met, and the generator is not to blame."""
        if not self._belongs(window):
            return None
        self._recent.append(window)
        self._marks.append(bool(client_limited(window)))
        if self._ramp:
            self._forget(window.end_s - ROLLING_S)
            self._tally = tally_of(self._recent)
        else:
            self._tally = self._tally.with_window(window)
        if self.opinion is not None and not _due(self._rule, self.opinion.judgement, self._tally, window):
            return None
        judgement = self._rule.judge(self._tally, self._recent, rolling=self._ramp)
        limited = judgement.answer == "not met" and persists(self._marks)
        self.opinion = self._opinion(window, judgement, limited)
        if judgement.answer != "not met" or limited:
            return None
        return Decision(Reason.LATENCY, self.evidence())

    def evidence(self) -> dict[str, Any]:
        """The facts of the current opinion; {} before the first request."""
        opinion = self.opinion
        if opinion is None:
            return {}
        facts = self._rule.evidence(opinion.judgement, rolling=opinion.level is None)
        return {
            **facts,
            "clock": opinion.clock,
            "level": opinion.level,
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
        self._level, self._ramp = level.index, ramp
        return True

    def _forget(self, before_s: float) -> None:
        while self._recent[0].start_s < before_s - 1e-6:
            self._recent.popleft()
            self._marks.popleft()

    def _opinion(self, window: Window, judgement: Judgement, limited: bool) -> Opinion:
        before = self.opinion
        same = before is not None and before.judgement.answer == judgement.answer
        on_model = self._model_clock and window.latencies.model.p50_ms is not None
        known = before.clock if before is not None and not window.ok else "model" if on_model else "client"
        return Opinion(
            level=None if self._ramp else self._level,
            judgement=judgement,
            since_s=before.since_s if same and before is not None else window.end_s,
            users=window.users,
            clock=known,
            withheld=limited,
        )


def verdicts(plan: Plan, windows: Sequence[Window]) -> tuple[LatencyVerdict, ...]:
    """One verdict for every level with requests; () without a threshold. windows: of the run, in order."""
    threshold = plan.stop.latency
    if threshold is None:
        return ()
    rule = LatencyRule(threshold)
    by_level: dict[int, list[Window]] = {}
    for window in windows:
        if window.level is not None and window.users and window.completed:
            by_level.setdefault(window.level, []).append(window)
    return tuple(_replayed(plan, rule, level, part) for level, part in sorted(by_level.items()))


def overall(
    plan: Plan, windows: Sequence[Window], levels: Sequence[LatencyVerdict] | None = None
) -> LatencyVerdict | None:
    """The whole run's verdict; None without a threshold or without requests.

    "not met" if any level or any rolling minute of a ramp is; else "met" if all requests together show it and no
    level is undecided with more over the limit than allowed; else "undecided".
    levels: what `verdicts` found, if it was asked already.
    """
    threshold = plan.stop.latency
    traffic = [window for window in windows if window.users and window.completed]
    if threshold is None or not traffic:
        return None
    rule = LatencyRule(threshold)
    each = verdicts(plan, windows) if levels is None else levels
    broken = next((verdict for verdict in each if verdict.answer == "not met"), None)
    if broken is not None:
        return broken
    whole = _verdict(plan, rule, None, traffic, rule.judge(tally_of(traffic), ()), traffic[-1].end_s)
    ramp = _ramp_breach(plan, rule, windows)
    if ramp is not None:
        return replace(whole, answer="not met", rule=ramp.judgement.rule, decided_at_s=ramp.since_s, more_requests=None)
    doubtful = [found for found in each if found.answer == "undecided" and found.over > rule.allowed * found.n]
    if whole.answer == "met" and not doubtful:
        return whole
    # All requests together mix levels, so they can only confirm: they break nothing that no level breaks.
    reasons = [found.rule for found in doubtful if found.rule == WITHHELD] or [found.rule for found in doubtful]
    return replace(whole, answer="undecided", rule=reasons[0] if reasons else whole.rule, decided_at_s=None)


def _ramp_breach(plan: Plan, rule: LatencyRule, windows: Sequence[Window]) -> Opinion | None:
    """The first rolling minute of a ramp that breaks the threshold."""
    ramps = {level.index for level in plan_levels(plan) if level.from_users != level.users}
    if not ramps:
        return None
    watch = LatencyWatch(plan, rule)
    for window in windows:
        if watch.observe(window) is not None and watch.opinion is not None and watch.opinion.level is None:
            return watch.opinion
    return None


def _replayed(plan: Plan, rule: LatencyRule, level: int, windows: Sequence[Window]) -> LatencyVerdict:
    """Of one level, looked at after each of its windows, as the controller does: the first breach stays."""
    tally, recent, marks = Tally(), deque[Window](maxlen=RECENT), deque[bool](maxlen=RECENT)
    judgement, since_s, limited = Judgement("undecided", "no requests", 0, 0), 0.0, False
    for window in windows:
        tally = tally.with_window(window)
        recent.append(window)
        marks.append(bool(client_limited(window)))
        if window is not windows[-1] and not _due(rule, judgement, tally, window):
            continue
        before, judgement = judgement, rule.judge(tally, recent)
        if before.answer != judgement.answer:
            since_s = window.end_s
        limited = judgement.answer == "not met" and persists(marks)
        if judgement.answer == "not met" and not limited:
            break
    verdict = _verdict(plan, rule, level, windows, judgement, since_s)
    if limited:
        return replace(verdict, answer="undecided", rule=WITHHELD, decided_at_s=None)
    return verdict


def _due(rule: LatencyRule, before: Judgement, tally: Tally, window: Window) -> bool:
    """A "met" is only confirmed now and then: it ends nothing. What could break it is looked at in every window."""
    if before.answer != "met" or window.index % CONFIRM == 0:
        return True
    return max(tally.share, window.counts.over / max(window.completed, 1)) > rule.allowed


def _verdict(
    plan: Plan, rule: LatencyRule, level: int | None, windows: Sequence[Window], judgement: Judgement, since_s: float
) -> LatencyVerdict:
    """`judgement` with the figures of all of `windows`."""
    tally = tally_of(windows)
    effective = tally.n / (design_effect(tally.batches, BATCH) or 1.0)
    clock, histogram = _judged(plan, windows)
    low_ms, high_ms = _interval_ms(rule, histogram, effective / tally.n)
    undecided = judgement.answer == "undecided"
    return LatencyVerdict(
        answer=judgement.answer,
        percentile=rule.threshold.percentile,
        limit_ms=float(rule.threshold.limit_ms),
        clock=clock,
        level=level,
        n=tally.n,
        over=tally.over,
        effective_n=round(effective, 1),
        low_ms=low_ms,
        high_ms=high_ms,
        rule=judgement.rule,
        decided_at_s=None if undecided else since_s,
        more_requests=rule.more_requests(tally) if undecided else None,
    )


def _judged(plan: Plan, windows: Sequence[Window]) -> tuple[str, Histogram]:
    """(whose clock was compared, the latencies on it) (S4). An open workload's count from the intended time on."""
    if plan.options.latency_clock != "client" and any(window.latencies.model.encoded for window in windows):
        return "model", merged(window.latencies.model.encoded for window in windows)
    return "client", merged(window.latencies.response.encoded or window.latencies.client.encoded for window in windows)


def _interval_ms(rule: LatencyRule, histogram: Histogram, effect: float) -> tuple[float | None, float | None]:
    """95 % interval of the percentile. effect: effective size over size."""
    n = histogram.total
    if not n:
        return None, None
    low, high = rule.ranks(n, effect * n)
    return histogram.value_at_rank_us(low) / 1000, None if high is None else histogram.value_at_rank_us(high) / 1000
