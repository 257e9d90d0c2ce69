"""How the requests over the limit came: alone, in spells, at cold starts and scale-outs. No clock, no I/O.

A run whose slow requests come together has two answers: what holds for the run as a whole (`LatencyVerdict`), and what
a user sees who comes in its worst spell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from loadtest.core.judge.watch import LatencyWatch, is_told
from loadtest.core.measure.counters import merged
from loadtest.core.measure.window import Window
from loadtest.core.stats.clusters import Floats, spell_windows
from loadtest.core.traffic.plan import Plan

__all__ = ["SlowRequests", "Spell", "slow_after_scaling", "slow_requests"]


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch in which most requests were slow. level: index; None: in none, or in several.

    n, over: its requests, and those over the limit. value_ms: the threshold's percentile of its successes, on the
    clock that is judged; None: nothing succeeded.
    """

    start_s: float
    length_s: float
    n: int
    over: int
    level: int | None = None
    value_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SlowRequests:
    """What a run's requests over the limit are.

    n, over: the run's requests, cold starts left out, and those over the limit.

    spells, spell_over: how many spells there were, and the requests over in them; the others came alone or in bursts of
    less than a window. mean_s, longest_s: lengths of spells, 0 without one. worst: with the most requests over.
    cold_starts: of levels that began with nearly every request slow, and then no longer: they break no threshold.
    scale_outs: the spell about each time that the endpoint got more instances; it counts in all figures like any other.
    """

    n: int
    over: int
    spells: int
    spell_over: int
    mean_s: float
    longest_s: float
    worst: Spell | None = None
    cold_starts: tuple[Spell, ...] = ()
    scale_outs: tuple[Spell, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SlowRequests:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        worst = values["worst"]
        cold = tuple(Spell(**each) for each in values["cold_starts"])
        scaled = tuple(Spell(**each) for each in values.get("scale_outs", ()))
        return cls(**{**values, "worst": worst and Spell(**worst), "cold_starts": cold, "scale_outs": scaled})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lists = {name: [asdict(each) for each in getattr(self, name)] for name in ("cold_starts", "scale_outs")}
        return {**asdict(self), **lists}


def slow_requests(plan: Plan, windows: Sequence[Window], watch: LatencyWatch) -> SlowRequests | None:
    """None: there is no threshold, or no request, or the clock that was asked for is not told: nothing is slow on it.

    watch: it has seen all `windows`, those of the run, in order.
    """
    timeline = watch.run.timeline
    if plan.stop.latency is None or not len(timeline) or not is_told(plan, windows):
        return None
    n, over = timeline.slices(0, len(timeline))
    window_n, window_over = n.sum(axis=1), over.sum(axis=1)
    spells = []
    for first, end in _hot(window_n, window_over):
        counts = timeline.counts(first, end)
        spells.append(Spell(timeline.at_s(first), timeline.length_s(first, end), int(counts[0]), int(counts[1])))
    cold = (
        Spell(found.start_s, found.length_s, found.n, found.over, found.level if isinstance(found.level, int) else None)
        for found in watch.run.cold_starts
    )
    lengths_s = [spell.length_s for spell in spells]
    worst = max(spells, key=lambda spell: spell.over, default=None)
    return SlowRequests(
        n=int(window_n.sum()),
        over=int(window_over.sum()),
        spells=len(spells),
        spell_over=sum(spell.over for spell in spells),
        mean_s=round(sum(lengths_s) / len(spells), 3) if spells else 0.0,
        longest_s=round(max(lengths_s, default=0.0), 3),
        worst=worst and _measured(plan, windows, worst),
        cold_starts=tuple(_measured(plan, windows, each) for each in cold),
    )


def slow_after_scaling(
    slow: SlowRequests, plan: Plan, windows: Sequence[Window], seen_s: Sequence[float], late_s: float
) -> SlowRequests:
    """With `scale_outs`. windows: of the run, in order. seen_s: when more instances were seen, in run time.

    late_s: for how long they may have been there by then. A spell belongs to them if it began within that time of it,
    and is no cold start already.
    """
    traffic = [window for window in windows if window.users]
    n, over = (
        np.array(each, np.float64) for each in zip(*[(w.counts.judged, w.counts.over) for w in traffic], strict=True)
    )
    found, cold = [], {each.start_s for each in slow.cold_starts}
    for first, end in _hot(n, over):
        start_s, end_s = traffic[first].start_s, traffic[end - 1].end_s
        if round(start_s, 3) not in cold and any(abs(start_s - at_s) <= late_s for at_s in seen_s):
            spell = Spell(start_s, end_s - start_s, int(n[first:end].sum()), int(over[first:end].sum()))
            found.append(_measured(plan, windows, spell))
    return replace(slow, scale_outs=tuple(found))


def _hot(n: Floats, over: Floats) -> Iterator[tuple[int, int]]:
    """[first, end) of each spell's windows. Its neighbours belong to the event, but are no measure of its length."""
    for first, end in spell_windows(n, over):
        hot = [i for i in range(first, end) if n[i] and 2 * over[i] >= n[i]]
        yield hot[0], hot[-1] + 1


def _measured(plan: Plan, windows: Sequence[Window], spell: Spell) -> Spell:
    """With its latency and its level."""
    assert plan.stop.latency is not None
    end_s = spell.start_s + spell.length_s
    part = [w for w in windows if w.users and spell.start_s - 1e-6 <= w.start_s and w.end_s <= end_s + 1e-6]
    on_model = plan.options.latency_clock != "client" and any(window.latencies.model.encoded for window in part)
    judged = (window.latencies.model if on_model else window.latencies.judged for window in part)
    value_us = merged(each.encoded for each in judged).percentile_us(plan.stop.latency.percentile)
    levels = {window.level for window in part}
    return Spell(
        round(spell.start_s, 3),
        round(spell.length_s, 3),
        spell.n,
        spell.over,
        levels.pop() if len(levels) == 1 else None,
        None if value_us is None else value_us / 1000,
    )
