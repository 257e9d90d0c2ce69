"""`--latency-clock model` where only CloudWatch tells the model's time: verdicts by its whole periods (S4).

What a period tells of a threshold is how many of its requests were over the limit, or bounds of that (`spread`). These
counts are shown to the rule that judges windows, a period for a window: once with the most that may be over, which can
show that the threshold is met, and once with the least, which can show that it is not. Two things follow from periods
being long. Few of them tell little of how slow requests come together, so that a level with some requests over needs
eight periods or more, and one that is not met is so in all of its periods alike. And what lies outside of whole
periods is not judged. Nothing of this ends a run: it comes after.

A level in which the client's latency, an upper bound, meets the threshold needs none of it. No clock, no I/O.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from loadtest.core.judge.stop.latency import LatencyRule
from loadtest.core.judge.verdict import Answer, LatencyVerdict
from loadtest.core.judge.verdicts import overall, verdicts
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.result.metrics import best_rate
from loadtest.core.result.model_latency import latency_of
from loadtest.core.result.periods import Period, unpublished
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import ServiceSide, service_side
from loadtest.core.stats.quantile import t_quantile
from loadtest.core.traffic.plan import Plan

__all__ = ["judged_by_model", "period_windows", "persists"]

ALPHA = 0.01
UNLIKE = "the periods differ too much to tell a breach from slow minutes"


def judged_by_model(result: RunResult) -> RunResult:
    """With the verdicts, the best rate and its latency as CloudWatch's figures have them.

    As it is if another clock was asked for, there is no threshold, the endpoint told its own time, or CloudWatch was
    not asked.
    """
    side, threshold = service_side(result), result.plan.threshold
    told = result.totals.latencies.model.p50_ms is not None
    if side is None or threshold is None or told or result.plan.options.latency_clock != "model":
        return result
    by_level, whole = _judged(result, side)
    held = _held(side, by_level, LatencyRule(threshold).allowed)
    ended_s = math.inf if result.stopped_at_s is None else result.stopped_at_s
    traffic = [
        replace(window, counts=replace(window.counts, over=0, over_batches=())) if window.level in held else window
        for window in result.windows
        if window.users and window.start_s < ended_s
    ]
    broken = {verdict.level for verdict in by_level if verdict.answer == "not met"}
    plan = result.plan
    best = best_rate(traffic, plan.options.rate_window_s, threshold, broken, plan.stop.max_invocations_per_min)
    latency = latency_of(plan, result.reason, traffic, best, result.latency_histogram(), Histogram())
    return replace(result, verdicts=tuple(by_level), overall=whole, best=best, latency=latency)


def _judged(result: RunResult, side: ServiceSide) -> tuple[list[LatencyVerdict], LatencyVerdict | None]:
    """(every level's verdict, the run's)."""
    # Whatever their clock is called here, the counts of these windows are on the one that is asked for.
    plan = replace(result.plan, options=replace(result.plan.options, latency_clock="client"))
    periods = [each for each in side.periods if each.level is not None and each.model.n]
    most, least = period_windows(plan, periods, most=True), period_windows(plan, periods, most=False)
    under = {verdict.level: verdict for verdict in verdicts(plan, most)}
    over = {verdict.level: verdict for verdict in verdicts(plan, least)}
    found, blocked = [], ""
    assert plan.threshold is not None
    allowed = LatencyRule(plan.threshold).allowed
    for verdict in result.verdicts:
        why = "" if verdict.answer == "met" else _why_not(result, side, verdict.level)
        if verdict.answer == "met":
            found.append(verdict)
        elif why:
            blocked = blocked or why
            # Its counts are the client's: so is its clock.
            found.append(replace(verdict, rule=why))
        else:
            stands = persists([window for window in least if window.level == verdict.level], allowed)
            found.append(_of_level(side, under[verdict.level], over[verdict.level], stands))
    if result.overall is None or result.overall.answer == "met":
        return found, result.overall
    if blocked and not any(verdict.answer == "not met" for verdict in found):
        return found, replace(result.overall, rule=blocked)
    whole, least_of_all = overall(plan, most, found), overall(plan, least, found)
    if whole is None or least_of_all is None:
        return found, result.overall
    if whole.answer == "undecided" and whole.over != least_of_all.over:
        whole = replace(whole, rule=_spread(least_of_all, whole))
    return found, replace(whole, clock="model")


def _why_not(result: RunResult, side: ServiceSide, level: int | None) -> str:
    """Why CloudWatch's figures decide nothing in a level; "" if they may."""
    each = f"{side.period_s:g} s"
    assert result.started_at is not None
    assert result.cloudwatch is not None
    absent = unpublished(result.cloudwatch, result.plan, result.windows, result.started_at, result.stopped_at_s)
    of_level = [at for at, in_level in absent if in_level == level]
    there = sum(1 for period in side.periods if period.level == level and period.model.n)
    if of_level and side.problems:
        return f"CloudWatch told nothing of the model's own time: {side.problems[0]}"
    if of_level:
        return f"of {len(of_level)} of the level's whole periods of {each} CloudWatch did not tell in time"
    if not there:
        return f"no whole period of {each}, in which CloudWatch tells the model's own time, lies inside the level"
    if side.shared:
        return "others use the endpoint too, and CloudWatch's figures are of all requests"
    return ""


def _of_level(side: ServiceSide, under: LatencyVerdict, over: LatencyVerdict, stands: bool) -> LatencyVerdict:
    """under: what the most that may be over its limit shows; over: what the least does, if that `persists`."""
    held = f"in {sum(1 for each in side.periods if each.level == under.level)} whole periods of {side.period_s:g} s"
    if under.answer == "met":
        return _told(under, "met", f"{under.rule}, {held}")
    if over.answer == "not met" and stands:
        return _told(over, "not met", f"{over.rule}, {held}")
    if over.answer == "not met":
        return _told(under, "undecided", f"{UNLIKE}, {held}")
    if over.over == under.over:
        return _told(under, "undecided", f"{under.rule}, {held}")
    return _told(under, "undecided", f"{held} {_spread(over, under)}")


def _spread(least: LatencyVerdict, most: LatencyVerdict) -> str:
    return f"CloudWatch's percentiles allow {least.over:,} to {most.over:,} of {most.n:,} requests over the limit"


def _told(verdict: LatencyVerdict, answer: Answer, rule: str) -> LatencyVerdict:
    """On the model's clock. No interval: percentiles of periods have none."""
    return replace(
        verdict,
        answer=answer,
        clock="model",
        rule=rule,
        low_ms=None,
        high_ms=None,
        decided_at_s=None if answer == "undecided" else verdict.decided_at_s,
        more_requests=None,
    )


def _held(side: ServiceSide, by_level: Sequence[LatencyVerdict], allowed: float) -> set[int]:
    """Levels that CloudWatch may judge, and in whose whole periods no more was over than allowed."""
    judged = {verdict.level for verdict in by_level if verdict.clock == "model" and verdict.answer != "not met"}
    return {
        each.level
        for each in side.levels
        if each.level in judged and each.over is not None and each.requests and each.over[1] <= allowed * each.requests
    }


def persists(periods: Sequence[Window], allowed: float) -> bool:
    """A level's periods are over the allowed share by more than they differ among themselves: their mean, by Student's
    t of as many batches, at 1 %. What is slow for a minute now and then looks like a breach to a rule that sees a
    minute as a moment; it is not alike in all of them.
    """
    shares = [window.counts.over / window.counts.judged for window in periods if window.counts.judged]
    if len(shares) < 2:
        return False
    error = statistics.stdev(shares) / math.sqrt(len(shares))
    return statistics.fmean(shares) - t_quantile(ALPHA, len(shares) - 1) * error > allowed


def period_windows(plan: Plan, periods: Sequence[Period], *, most: bool) -> list[Window]:
    """A window for a period. What failed for this client counts as over (S5), and may be a sample or not."""
    users = {level.index: max(level.users, 1) for level in plan_levels(plan)}
    found = []
    for i, each in enumerate(periods):
        assert each.level is not None
        low, high = each.model.over or (0, each.model.n)
        over = min(each.model.n, high + each.client.failed) if most else max(low, min(each.model.n, each.client.failed))
        at_work = float(users[each.level])
        load = Load(users=users[each.level], running=users[each.level], active=at_work, in_flight=at_work)
        span = Span(i, each.start_s, each.end_s, each.level)
        found.append(Window(span, load, Counts(ok=each.model.n, over=over)))
    return found
