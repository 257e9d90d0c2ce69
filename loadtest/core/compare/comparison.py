"""Two sides held against each other, row by row, with one error probability for all rows together.

A row is a metric of a level, or of the whole run: the mean over the levels that every run has, the best rate, the knee.
For two equal endpoints the probability that *any* row says better or worse is at most `alpha`. Half of it is shared by
the rows of the whole run, the other half by those of the levels (Bonferroni's inequality with weights: it holds however
the rows depend on each other, and they do). No clock, no I/O.

A row's answer, from the interval of its difference and the margin within which a difference does not matter:

    same        the interval lies within the margin
    worse       it lies beyond 0, on the worse side, and the difference itself beyond the margin
    better      ... on the better side
    undecided   else; or there is too little to make an interval of
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.core.compare.dependence import Dependence, dependence_of
from loadtest.core.compare.figure import Figure, dependences_of, figure_of, mean_of
from loadtest.core.compare.limits import Held, held
from loadtest.core.compare.matching import Side, matched
from loadtest.core.compare.peaks import best_figure, knee_figure
from loadtest.core.compare.pooling import Difference, difference_of, pooled
from loadtest.core.compare.sample import LATENCIES, LevelSample, RunSample, sample_of
from loadtest.core.judge.decision import Reason
from loadtest.core.result.result import RunResult

__all__ = ["ALPHA", "MARGIN", "Comparison", "Row", "RowAnswer", "compare"]

RowAnswer = Literal["better", "worse", "same", "undecided"]

ALPHA = 0.01
MARGIN = 0.02
MOST = 100.0  # as a logarithm: no ratio
POINTS = 0.1  # of the margin: an error share is the same within 0.2 points where a rate is within 2 %
FAILED = (Reason.ERRORS, Reason.TARGET_DOWN)
HIGHER_IS_BETTER = ("throughput", "best rate", "knee")


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of a level, or of the whole run.

    level: its index in the baseline's plan; users: as tables have it ("4", "4-6"); None and "": the whole run.
    a, b: of the two sides: per s, ms, users, or a share; None: not measured. unit: "/s", "ms", "users", "share".
    difference, low, high: (b - a) / a, or b - a of a share, with its interval; None: none can be made.
    answer: of b against a. why: it is undecided, "" if the interval says so itself.
    """

    metric: str
    level: int | None
    users: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    answer: RowAnswer
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides of runs, compared row by row.

    rows: of the whole run first, then level by level. margin: as a share. alpha: of all rows together.

    answer: "worse" if any row is; else "better" if any is; else "same" if every row of the whole run that has an
    interval is; else "undecided". runs: (of the baseline, of the other side).
    """

    answer: RowAnswer
    rows: tuple[Row, ...]
    margin: float
    alpha: float
    runs: tuple[int, int]

    def of(self, answer: RowAnswer) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.answer == answer)


def compare(
    baseline: Sequence[RunResult], candidate: Sequence[RunResult], *, margin: float = MARGIN, alpha: float = ALPHA
) -> Comparison:
    """The candidate against the baseline; each is one run or repeats of one. Levels are those of the same users.

    margin: as a share, 0 or more: a difference within it does not matter. alpha: 0..0.5, of any wrong "better" or
    "worse" at all. Raises ValueError without a run on each side.
    """
    if not baseline or not candidate:
        raise ValueError("a comparison needs a run on each side")
    sides = tuple([sample_of(result) for result in side] for side in (baseline, candidate))
    return _Pair(sides, margin, alpha).compared()


class _Pair:
    """Both sides, the levels that they share, and what the windows of each side are worth."""

    def __init__(self, sides: tuple[Side, ...], margin: float, alpha: float) -> None:
        self._sides, self._margin, self._alpha = sides, margin, alpha
        self._levels = matched(sides)
        streamed = all(run.streamed for side in sides for run in side)
        self._metrics = (
            "throughput",
            *(name for name, (kind, _) in LATENCIES.items() if kind == "judged" or streamed),
            "error share",
        )
        levels = [level for side in sides for run in side for level in run.levels.values()]
        # Of both sides together: one run alone may have been spared the pauses that the endpoint has.
        self._dependences = dependences_of(levels, self._metrics)

    def compared(self) -> Comparison:
        of_levels = [(key, metric) for key in self._levels for metric in self._metrics]
        alone = len(self._levels) < 2  # the only level is the whole run
        share = self._alpha if alone else self._alpha / 2
        whole = [*self._metrics, "best rate", "knee", "over the limit"]
        rows = [*self._failures(), *self._whole_rows(share / 2 / len(whole))]
        if not alone:
            tail = share / 2 / len(of_levels)
            rows += [self._level_row(key, metric, tail) for key, metric in of_levels]
        runs = (len(self._sides[0]), len(self._sides[1]))
        return Comparison(_answer(rows), tuple(rows), self._margin, self._alpha, runs)

    def _whole_rows(self, tail: float) -> list[Row]:
        rows = []
        for metric in self._metrics:
            kept = [levels for levels in self._levels.values() if _all_have(levels, metric)]
            figures = [
                [
                    mean_of([figure_of(metric, levels[place][run], self._dependences, tail) for levels in kept])
                    for run in range(len(side))
                ]
                for place, side in enumerate(self._sides)
                if kept
            ]
            rows.append(self._row(metric, None, "", figures, tail))
        rows.append(self._peak_row("best rate", best_figure, tail))
        rows.append(self._peak_row("knee", knee_figure, tail))
        return [*rows, *self._limit_rows(tail)]

    def _failures(self) -> list[Row]:
        """A run that failed is worse than one that did not, whatever its figures were until then."""
        failed = [[run.result.reason in FAILED for run in side] for side in self._sides]
        if not any(map(any, failed)):
            return []
        a, b = (sum(side) / len(side) for side in failed)
        answer: RowAnswer = "worse" if (a, b) == (0, 1) else "better" if (a, b) == (1, 0) else "undecided"
        why = f"{sum(failed[0])} of {len(failed[0])} runs failed, and {sum(failed[1])} of {len(failed[1])}"
        return [Row("failed runs", None, "", "share", a, b, b - a, None, None, answer, why)]

    def _limit_rows(self, tail: float) -> list[Row]:
        """The threshold, at the first level where the sides part; () without the same one on both."""
        thresholds = {run.result.plan.stop.latency for side in self._sides for run in side}
        threshold = thresholds.pop()
        levels = matched(self._sides, begun=True)
        if threshold is None or thresholds or not levels:
            return []
        allowed = round(1 - threshold.percentile, 9)
        metric, of_all = "over the limit", [level for runs in levels.values() for side in runs for level in side]
        dependence = dependence_of([level.series(metric) for level in of_all])
        row = Row(
            metric, None, "", "share", None, None, None, None, None, "undecided", "no level tells the sides apart"
        )
        every: set[Held] = set()
        for runs in levels.values():
            a, b = (held(side, allowed, dependence, tail / len(levels)) for side in runs)
            every |= {a, b}
            if {a, b} == {"held", "broken"}:
                over_a, over_b = (sum(map(_over, side)) / len(side) for side in runs)
                answer: RowAnswer = "worse" if b == "broken" else "better"
                why = f"the threshold is {'held and then broken' if b == 'broken' else 'broken and then held'}"
                plan = runs[0][0].level
                why = f"{why} at {plan.users} users"
                return [Row(metric, None, "", "share", over_a, over_b, over_b - over_a, None, None, answer, why)]
        return [replace(row, answer="same", why="")] if every == {"held"} else [row]

    def _peak_row(
        self, metric: str, figure: Callable[[RunSample, Dependence, float, int], Figure | None], tail: float
    ) -> Row:
        found = [
            [figure(run, self._dependences["throughput"], tail, 10 * number + place) for number, run in enumerate(side)]
            for place, side in enumerate(self._sides)
        ]
        reached = {frozenset(run.levels) for side in self._sides for run in side}
        if len(reached) > 1 or any(each is None for side in found for each in side):
            known = [[each for each in side if each is not None] for side in found]
            values = [_shown(metric, mean_of(side).value) if side else None for side in known]
            missing = "no rate held the condition in every run" if metric == "best rate" else "no knee in every run"
            why = "the runs ended at different levels" if len(reached) > 1 else missing
            return Row(metric, None, "", _UNITS[metric], values[0], values[1], None, None, None, "undecided", why)
        return self._row(metric, None, "", [[each for each in side if each is not None] for side in found], tail)

    def _level_row(self, key: object, metric: str, tail: float) -> Row:
        levels = self._levels[key]
        plan = levels[0][0].level
        users = f"{plan.users}" if plan.users == plan.from_users else f"{plan.from_users}-{plan.users}"
        figures = [
            [figure_of(metric, level, self._dependences, tail) for level in side]
            for place, side in enumerate(levels)
            if _all_have(levels, metric)
        ]
        return self._row(metric, plan.index, users, figures, tail)

    def _row(self, metric: str, level: int | None, users: str, figures: list[list[Figure]], tail: float) -> Row:
        unit = _UNITS.get(metric, "ms")
        if not figures:
            why = "too few requests"
            return Row(metric, level, users, unit, None, None, None, None, None, "undecided", why)
        a, b = pooled(figures, tail)
        difference = _relative(difference_of(a, b)) if unit != "share" else difference_of(a, b)
        answer = _judged(metric, difference, self._margin * (POINTS if unit == "share" else 1))
        low, high = (end if math.isfinite(end) else None for end in (difference.low, difference.high))
        open_ended = answer == "undecided" and (low is None or high is None)
        why = "too few requests, or too few independent ones, for an interval" if open_ended else ""
        values = _shown(metric, a.value), _shown(metric, b.value)
        return Row(metric, level, users, unit, *values, difference.value, low, high, answer, why)


_UNITS = {"throughput": "/s", "best rate": "/s", "knee": "users", "error share": "share"}


def _shown(metric: str, value: float) -> float:
    """On the unit's scale; latencies are kept in us."""
    unit = _UNITS.get(metric, "ms")
    return value if unit == "share" else math.exp(value) / (1000 if unit == "ms" else 1)


def _all_have(levels: Sequence[Sequence[LevelSample]], metric: str) -> bool:
    return all(level.has(metric) for side in levels for level in side)


def _relative(difference: Difference) -> Difference:
    """Of logarithms, as (b - a) / a."""
    low = math.expm1(difference.low) if math.isfinite(difference.low) else -math.inf
    high = math.expm1(difference.high) if difference.high < MOST else math.inf
    return Difference(math.expm1(difference.value), low, high)


def _judged(metric: str, difference: Difference, margin: float) -> RowAnswer:
    if -margin <= difference.low and difference.high <= margin:
        return "same"
    if (difference.low > 0 or difference.high < 0) and abs(difference.value) > margin:
        return "better" if (difference.low > 0) == (metric in HIGHER_IS_BETTER) else "worse"
    return "undecided"


def _answer(rows: Sequence[Row]) -> RowAnswer:
    found = {row.answer for row in rows}
    for answer in ("worse", "better"):
        if answer in found:
            return answer
    whole = [row for row in rows if row.level is None and row.low is not None and row.high is not None]
    return "same" if whole and all(row.answer == "same" for row in whole) else "undecided"


def _over(level: LevelSample) -> float:
    return float(level.over.sum() / level.completed.sum())
