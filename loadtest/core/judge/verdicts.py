"""What a finished run says about its latency threshold: every level's verdict, and the whole run's.

The windows are shown to a `LatencyWatch`, the object that decides while a run goes. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtest.core.judge.stop.latency import LatencyRule, assumption
from loadtest.core.judge.verdict import LatencyVerdict
from loadtest.core.judge.watch import ROLLING_S, LatencyWatch, Opinion
from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import LevelResult, taken_together
from loadtest.core.measure.window import Window
from loadtest.core.stats.run_evidence import RUN, Judgement
from loadtest.core.traffic.plan import Plan

__all__ = ["NOT_TOLD", "WITHHELD", "overall", "replayed", "verdicts"]

WITHHELD = "withheld: the load generator set the pace"
NOT_TOLD = "the target does not tell the model's own time, and the client's is but an upper bound of it"


def replayed(plan: Plan, windows: Sequence[Window]) -> LatencyWatch | None:
    """A watch that has seen `windows`, those of the run, in order; None without a threshold."""
    if plan.threshold is None:
        return None
    watch = LatencyWatch(plan, LatencyRule(plan.threshold))
    for window in windows:
        watch.observe(window)
    watch.finish()
    return watch


def verdicts(
    plan: Plan, windows: Sequence[Window], watch: LatencyWatch | None = None, levels: Sequence[LevelResult] = ()
) -> tuple[LatencyVerdict, ...]:
    """One verdict for every level with requests; () without a threshold. windows: of the run, in order.

    watch: one that has seen them; None: they are shown to a new one. levels: results of `windows`, which save decoding
    them again.
    A piece of a ramp has the verdict of the minute that ends with it, or of the minute that broke the threshold.
    """
    threshold = plan.threshold
    if threshold is None:
        return ()
    rule = LatencyRule(threshold)
    watch = watch or replayed(plan, windows)
    assert watch is not None
    traffic = [window for window in windows if window.users]
    ends_s = {window.level: window.end_s for window in traffic}
    measured = {window.level for window in traffic if window.counts.judged}
    found = []
    for level, opinion in sorted(watch.opinions.items()):
        if level not in measured:
            continue
        if opinion.ramp:
            end_s = opinion.since_s if opinion.broken else ends_s[level]
            part = [w for w in traffic if end_s - ROLLING_S - 1e-6 <= w.start_s and w.end_s <= end_s + 1e-6]
        else:
            part = [window for window in traffic if window.level == level]
        found.append(_of_level(plan, rule, level, part, opinion, levels))
    return tuple(found)


def overall(
    plan: Plan,
    windows: Sequence[Window],
    by_level: Sequence[LatencyVerdict],
    watch: LatencyWatch | None = None,
    levels: Sequence[LevelResult] = (),
) -> LatencyVerdict | None:
    """The whole run's verdict; None without a threshold or without requests. by_level: what `verdicts` found.

    watch, levels: as for `verdicts`.

    "not met" if any level or any minute of a ramp is; else "met" if all requests together show it and no level is
    undecided with more over the limit than allowed; else "undecided".
    """
    threshold = plan.threshold
    traffic = [window for window in windows if window.users and window.counts.judged]
    if threshold is None or not traffic:
        return None
    rule = LatencyRule(threshold)
    broken = next((verdict for verdict in by_level if verdict.answer == "not met"), None)
    if broken is not None:
        return broken
    watch = watch or replayed(plan, windows)
    assert watch is not None
    seen = len(watch.run.timeline)
    judgement = watch.run.standing(0) if seen else Judgement("undecided", "no requests", 0, 0)
    if judgement.answer == "met":
        judgement = replace(judgement, rule=RUN)
    whole = _verdict(plan, rule, None, traffic, judgement, traffic[-1].end_s, levels)
    doubtful = [found for found in by_level if found.answer == "undecided" and found.over > rule.allowed * found.n]
    if whole.answer == "met" and not doubtful:
        return whole
    # All requests together mix levels, so they can only confirm: they break nothing that no level breaks.
    reasons = [found.rule for found in doubtful if found.rule in (WITHHELD, NOT_TOLD)]
    reasons = reasons or [found.rule for found in doubtful]
    if NOT_TOLD in reasons:
        return _open(whole, NOT_TOLD)
    return replace(whole, answer="undecided", rule=reasons[0] if reasons else whole.rule, decided_at_s=None)


def _of_level(
    plan: Plan,
    rule: LatencyRule,
    level: int,
    windows: Sequence[Window],
    opinion: Opinion,
    levels: Sequence[LevelResult],
) -> LatencyVerdict:
    verdict = _verdict(plan, rule, level, windows, opinion.judgement, opinion.since_s, levels)
    if opinion.blind and verdict.answer != "met":
        return _open(replace(verdict, from_s=None, from_n=None, from_over=None, assumed=""), NOT_TOLD)
    if opinion.withheld:
        return replace(verdict, answer="undecided", rule=WITHHELD, decided_at_s=None)
    return verdict


def _open(verdict: LatencyVerdict, rule: str) -> LatencyVerdict:
    """Undecided, whatever the number of requests."""
    return replace(verdict, answer="undecided", rule=rule, decided_at_s=None, more_requests=None)


def _verdict(
    plan: Plan,
    rule: LatencyRule,
    level: int | None,
    windows: Sequence[Window],
    judgement: Judgement,
    since_s: float,
    levels: Sequence[LevelResult],
) -> LatencyVerdict:
    """`judgement` with the figures of all of `windows`."""
    n, over = sum(window.counts.judged for window in windows), sum(window.counts.over for window in windows)
    share = judgement.effective_n / judgement.n if judgement.effective_n and judgement.n else 1.0
    clock, histogram = _judged(plan, windows, levels)
    low_ms, high_ms = _interval_ms(rule, histogram, share)
    broken, undecided = judgement.answer == "not met", judgement.answer == "undecided"
    return LatencyVerdict(
        answer=judgement.answer,
        percentile=rule.threshold.percentile,
        limit_ms=float(rule.threshold.limit_ms),
        clock=clock,
        level=level,
        n=n,
        over=over,
        effective_n=round(share * n, 1),
        low_ms=low_ms,
        high_ms=high_ms,
        rule=judgement.rule,
        decided_at_s=None if undecided else since_s,
        more_requests=rule.more_requests(judgement) if undecided else None,
        from_s=round(judgement.from_s, 3) if broken else None,
        from_n=judgement.n if broken else None,
        from_over=judgement.over if broken else None,
        assumed=assumption(rule, plan.end_s, judgement),
    )


def _judged(plan: Plan, windows: Sequence[Window], levels: Sequence[LevelResult]) -> tuple[str, Histogram]:
    """(whose clock was compared, the latencies on it) (S4). An open workload's count from the intended time on."""
    if plan.options.latency_clock != "client" and any(window.latencies.model.encoded for window in windows):
        return "model", merged(part.model.encoded for part in taken_together(levels, windows))
    if plan.arrivals is not None:
        return "client", merged(window.latencies.judged.encoded for window in windows)
    return "client", merged(part.client.encoded for part in taken_together(levels, windows))


def _interval_ms(rule: LatencyRule, histogram: Histogram, effect: float) -> tuple[float | None, float | None]:
    """95 % interval of the percentile. effect: effective size over size."""
    n = histogram.total
    if not n:
        return None, None
    low, high = rule.ranks(n, effect * n)
    return histogram.value_at_rank_us(low) / 1000, None if high is None else histogram.value_at_rank_us(high) / 1000
