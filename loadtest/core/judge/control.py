"""When a load test stops: the one decision maker, the same object in a child, a distributed master and virtual time.

    observe(window)  ->  history  ->  stop rules  ->  the first Decision
    tick(now_s)      ->  Hold(users) | Stop(reason, evidence)

No clock, no I/O. If several conditions hold at the same look, the first of this order wins: a request (USER,
ENGINE_LOST), then what makes the rest meaningless (TARGET_DOWN, ERRORS), then LATENCY, MAX_INVOCATIONS and FLAT, then
the end of time (JOB_DURATION, CURVE_END), which is TARGET_DOWN if nothing at all succeeded. Once stopped it stays
stopped, for the same reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.core.judge.course import Course, capacity_evidence, progress_of
from loadtest.core.judge.decision import Decision, Hold, Reason, Stop
from loadtest.core.judge.stop.duration import Duration
from loadtest.core.judge.stop.errors import ErrorBudget, TargetDown
from loadtest.core.judge.stop.flat import FlatRule
from loadtest.core.judge.stop.latency import LatencyRule
from loadtest.core.judge.stop.max_invocations import MaxInvocations
from loadtest.core.judge.watch import LatencyWatch
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.request.spec import StopConditions
from loadtest.core.stats.rates import RateHistory
from loadtest.core.traffic.plan import Plan

__all__ = ["Controller", "Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log. facts: JSON values, units in the names.

    kind: "stop"; "withheld", a stop that the generator's own state forbids (S10); "verdict", on a level's latency.
    """

    at_s: float
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Controller:
    """Decides for one run of `plan`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._duration = Duration(plan.curve.end_s, plan.limit_s)
        self._down = TargetDown()
        self._course = None if plan.search is None else Course(plan)
        # What a search passes on its way ends nothing: which load breaks an objective is what it is to find.
        stop, options = plan.stop if plan.search is None else StopConditions(flat_stops=False), plan.options
        self._budget = None if stop.max_error_ratio is None else ErrorBudget(stop.max_error_ratio, run_s=plan.end_s)
        target = stop.max_invocations_per_min
        self._rate = None if target is None else MaxInvocations(target, options.rate_window_s)
        self._watch = None if stop.latency is None else LatencyWatch(plan, LatencyRule(stop.latency))
        self._flat = FlatRule(options.seed) if stop.flat_stops else None
        self._rates = RateHistory(plan)
        self._kept_s = max(60.0, self._down.silent_s, options.rate_window_s) + 2 * options.window_s
        self._recent: deque[Window] = deque()
        self._ok = 0
        self._stop: Stop | None = None
        self._now_s = 0.0
        self._events: list[Event] = []
        self._said: dict[str, bool] = {}
        self._answered: tuple[int | None, str] | None = None

    def observe(self, window: Window) -> None:
        """Take the next window, in order. After a stop windows are of the draining and decide nothing."""
        if self._stop is not None:
            return
        self._now_s = max(self._now_s, window.end_s)
        self._ok += window.ok
        if self._course is None:
            self._rates.observe(window)
        self._recent.append(window.light())
        while self._recent[-1].end_s - self._recent[0].end_s > self._kept_s:
            self._recent.popleft()
        decision = next(self._decisions(window), None) or self._steer(window)
        if decision is not None:
            self._end(decision, window.end_s)

    def tick(self, now_s: float) -> Hold | Stop:
        """What to do at `now_s` (s since run start): go on with so many users, or stop."""
        self._now_s = max(self._now_s, now_s)
        if self._stop is None:
            decision = self._duration.check(now_s)
            if decision is None:
                return Hold(self.plan.curve.users_at(now_s))
            if self._course is not None and decision.reason is Reason.CURVE_END:
                decision = Decision(Reason.CAPACITY, capacity_evidence(self._course))
            self._end(decision, now_s)
        assert self._stop is not None
        return self._stop

    def request_stop(self, reason: Reason, evidence: Mapping[str, Any] | None = None) -> None:
        """Stop for a reason from outside (USER, ENGINE_LOST); nothing changes if it has stopped already."""
        if self._stop is None:
            self._end(Decision(reason, evidence or {}), self._now_s)

    @property
    def remembered(self) -> Sequence[Window]:
        """The windows that later decisions look back at, without what only one window's own decision needs."""
        return self._recent

    @property
    def plan(self) -> Plan:
        """What is run: as it was given, or, of a search, with the loads that it has chosen so far."""
        return self._plan if self._course is None else self._course.plan

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in time order."""
        return tuple(self._events)

    def progress(self) -> Mapping[str, Any]:
        """How near each stop condition is: 0..1 by name, or a few facts; JSON values."""
        near: dict[str, Any] = {"time": self._duration.progress(self._now_s)}
        if self._rate is not None:
            near["max_invocations"] = self._rate.progress(self._recent)
        if self._watch is not None:
            near["latency"] = self._watch.progress()
        if self._flat is not None:
            rates = self._rates.rates()
            withheld = self._said.get("flat", False)
            near["flat"] = {"levels": len(rates), "withheld": withheld, "gain_share": self._flat.gain(rates)}
        if self._budget is not None:
            near["errors"] = self._budget.progress(self._recent)
        if self._course is not None:
            near["capacity"] = progress_of(self._course.capacity())
        facts: Mapping[str, Any] = plain(near)
        return facts

    def _decisions(self, window: Window) -> Iterator[Decision]:
        """Every condition that holds now, the most important first."""
        # The watch must see every window, so it is asked before anything else can win.
        latency = self._latency(window)
        found = [
            self._down.check(self._recent),
            None if self._budget is None else self._budget.check(self._recent),
            latency,
            None if self._rate is None else self._rate.check(self._recent),
            self._plateau(window.end_s),
        ]
        return (decision for decision in found if decision is not None)

    def _steer(self, window: Window) -> Decision | None:
        if self._course is None:
            return None
        finished = self._course.observe(window)
        return None if finished is None else Decision(Reason.CAPACITY, capacity_evidence(self._course))

    def _latency(self, window: Window) -> Decision | None:
        if self._watch is None:
            return None
        decision = self._watch.observe(window)
        opinion = self._watch.opinion
        if opinion is not None:
            self._say("latency", window.end_s, opinion.withheld, self._watch.evidence)
            said = opinion.answer if opinion.blind else opinion.judgement.answer
            self._say_answer(window.end_s, opinion.level, said)
        # Not one answer was good: that says nothing about latency. TARGET_DOWN or the end of time has the word.
        return decision if self._ok else None

    def _plateau(self, at_s: float) -> Decision | None:
        # One level shows nothing: most windows of a long one cost nothing here.
        rule = self._flat
        if rule is None or not self._rates.closed:
            return None
        rates = self._rates.rates()
        plateau = rule.find(rates)
        limited = plateau is not None and rule.limited(rates, plateau)
        self._say("flat", at_s, limited, lambda: {} if plateau is None else rule.evidence(rates, plateau))
        return rule.check(rates)

    def _say(self, rule: str, at_s: float, withheld: bool, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Log once when a rule's stop begins to be withheld because the generator set the pace (S10)."""
        if withheld and not self._said.get(rule):
            self._events.append(Event(at_s, "withheld", {"rule": rule, **facts()}))
        self._said[rule] = withheld

    def _say_answer(self, at_s: float, level: int | None, answer: str) -> None:
        if (level, answer) != self._answered:
            self._answered = (level, answer)
            self._events.append(Event(at_s, "verdict", {"level": level, "answer": answer}))

    def _end(self, decision: Decision, at_s: float) -> None:
        self._stop = Stop(decision.reason, plain(decision.evidence))
        self._events.append(Event(at_s, "stop", {"reason": decision.reason.value, **decision.evidence}))
