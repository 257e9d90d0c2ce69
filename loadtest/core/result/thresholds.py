"""What a run is asked to keep besides its job's own threshold: `p95<200ms`, `error_rate<1%`, `rate>500/s`.

Each is judged met, not met or undecided, by the statistics that judge the job:

    pNN         as ModelLatencyThresholds, level by level (`judge/verdicts.py`), on the latencies in the windows'
                histograms; a limit is compared to their resolution of 0.1 %
    error_rate  evidence that may be looked at at any time (`stats/evidence.py`), on all requests of the traffic; "met"
                on a sample made smaller by bursts, "not met" on the plain counts, as the error budget does it
    rate        Student's interval of the levels' mean successes per second (`stats/rates.py`), for all levels together:
                met if one that holds the latency threshold is above, not met if all are below

No clock, no I/O.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from loadtest.core.judge.verdict import Answer, LatencyVerdict
from loadtest.core.judge.verdicts import overall, verdicts
from loadtest.core.measure.counters import counts_over
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.clusters import Floats, events
from loadtest.core.stats.evidence import interval, log_over, log_under
from loadtest.core.stats.quantile import t_quantile
from loadtest.core.stats.rates import level_rates
from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError

__all__ = [
    "Threshold",
    "ThresholdVerdict",
    "asked_of",
    "judge_thresholds",
    "parse_threshold",
    "parse_thresholds",
    "verdict_of",
]

ALPHA = 0.01
Metric = Literal["latency", "error_rate", "rate"]

_TEXT = re.compile(
    r"\s*(p\d+(?:\.\d+)?|error_rate|rate)\s*(<=|>=|<|>)\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z%/]*)\s*", re.IGNORECASE
)
# Metric -> (the sign it takes, unit -> what a number in it is multiplied with to be in ms, a share, or per s).
_UNITS: Mapping[Metric, tuple[str, Mapping[str, float]]] = {
    "latency": ("<", {"ms": 1.0, "s": 1000.0}),
    "error_rate": ("<", {"%": 0.01, "": 1.0}),
    "rate": (">", {"/s": 1.0, "/min": 1 / 60}),
}
_FORM = "write p95<200ms, error_rate<1% or rate>500/s"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound that a run is asked to keep. text: as it was given, without spaces. limit: ms, a share, or per second.
    percentile: 0..1, of a latency.
    """

    text: str
    metric: Metric
    limit: float
    percentile: float | None = None


@dataclass(frozen=True, slots=True)
class ThresholdVerdict:
    """The answer to one threshold. measured, low, high: in the threshold's own unit (ms, a share, per s), with the
    interval that decided; None: not known. limit: in the same. why: what the answer rests on.
    """

    text: str
    answer: Answer
    limit: float
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


def parse_threshold(text: str) -> Threshold:
    """Raises SpecError that says what would be right."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise _wrong(text, "is not a threshold")
    name, sign, number, unit = match[1].lower(), match[2], float(match[3]), match[4].lower()
    metric: Metric = "latency" if name[0] == "p" else "rate" if name == "rate" else "error_rate"
    wanted, units = _UNITS[metric]
    if sign[0] != wanted:
        raise _wrong(text, f"{name} is kept {'below' if wanted == '<' else 'above'} a limit: use {wanted}")
    if unit not in units:
        raise _wrong(text, f"the unit of {name} is {' or '.join(filter(None, units))}")
    limit = number * units[unit]
    percentile = round(float(name[1:]) / 100, 9) if metric == "latency" else None
    if percentile is not None and not 0 < percentile < 1:
        raise _wrong(text, "a percentile lies between 0 and 100")
    if limit <= 0 or (metric == "error_rate" and limit >= 1):
        raise _wrong(text, "the limit is out of range", "above 0" + (", below 100 %" if metric == "error_rate" else ""))
    return Threshold(re.sub(r"\s", "", text), metric, limit, percentile)


def parse_thresholds(texts: Sequence[str], problems: list[Problem]) -> Iterator[Threshold]:
    """Those of `texts` that are thresholds; what is wrong with the others is added to `problems`."""
    for text in texts:
        try:
            yield parse_threshold(text)
        except SpecError as error:
            problems += error.problems


def _wrong(text: str, rule: str, advice: str = _FORM) -> SpecError:
    return SpecError([Problem("--threshold", text, rule, advice)])


def judge_thresholds(
    thresholds: Sequence[Threshold], plan: Plan, windows: Sequence[Window]
) -> tuple[ThresholdVerdict, ...]:
    """One verdict each. windows: of the traffic, in order, without those of the draining."""
    judges = {"latency": _latency, "error_rate": _error_rate, "rate": _rate}
    return tuple(judges[threshold.metric](threshold, plan, windows) for threshold in thresholds)


def asked_of(threshold: Threshold, plan: Plan, windows: Sequence[Window]) -> tuple[Plan, Sequence[Window]]:
    """The plan and its windows as if the threshold, one on a latency, were the job's own."""
    assert threshold.percentile is not None
    asked = LatencyThreshold(threshold.percentile, threshold.limit)  # type: ignore[arg-type]  # the API's are whole ms
    # The job's own threshold was counted on raw latencies.
    counted = windows if asked == plan.stop.latency else _counted(plan, windows, threshold.limit)
    return replace(plan, stop=replace(plan.stop, latency=asked)), counted


def verdict_of(threshold: Threshold, found: LatencyVerdict) -> ThresholdVerdict:
    """What was found of the plan of `asked_of`, as the threshold's answer."""
    at = "" if found.level is None else f" at level {found.level}"
    why = f"{found.over:,} of {found.n:,} requests over it or failed; {found.rule}{at}"
    if found.clock == "model":
        # Of periods only bounds of a count may be known, which the rule then says.
        why = f"model clock: {found.rule if found.answer == 'undecided' else why}"
    return ThresholdVerdict(threshold.text, found.answer, threshold.limit, None, found.low_ms, found.high_ms, why)


def _latency(threshold: Threshold, plan: Plan, windows: Sequence[Window]) -> ThresholdVerdict:
    judged_plan, counted = asked_of(threshold, plan, windows)
    found = overall(judged_plan, counted, verdicts(judged_plan, counted))
    return _nothing(threshold) if found is None else verdict_of(threshold, found)


def _counted(plan: Plan, windows: Sequence[Window], limit_ms: float) -> Sequence[Window]:
    """`windows` with the requests over another limit, one batch a window."""
    on_model = plan.options.latency_clock != "client" and any(w.latencies.model.encoded for w in windows)
    judged = [(w.latencies.model if on_model else w.latencies.judged).encoded for w in windows]
    over = counts_over(judged, [round(1000 * limit_ms)])[:, 0].tolist()
    found = []
    for window, above in zip(windows, over, strict=True):
        counts = window.counts
        bad = int(above) + counts.failed - counts.own
        batches = ((counts.judged, bad),) if counts.judged else ()
        found.append(replace(window, counts=replace(counts, over=bad, over_batches=batches)))
    return found


def _error_rate(threshold: Threshold, plan: Plan, windows: Sequence[Window]) -> ThresholdVerdict:
    each = np.array([(w.counts.judged, w.failed - w.counts.own) for w in windows], np.float64).reshape(-1, 2)
    n, failed = (int(total) for total in each.sum(axis=0))
    if not n:
        return _nothing(threshold)
    effect = _effect(each[:, :1], each[:, 1:])
    low, high = interval(n / (effect or 1.0), failed / (effect or 1.0), ALPHA)
    limit = -math.log(ALPHA)
    answer: Answer = "undecided"
    if failed / n > threshold.limit and log_over(n, failed, threshold.limit) >= limit:
        answer = "not met"
    elif effect is not None and log_under(n / effect, failed / effect, threshold.limit) >= limit:
        answer = "met"
    why = f"{failed:,} of {n:,} requests failed"
    if answer == "undecided":
        why += "; too few requests, or too few independent ones, to tell"
    return ThresholdVerdict(threshold.text, answer, threshold.limit, failed / n, low, high, why)


def _effect(n: Floats, failed: Floats) -> float | None:
    """How many failures make one independent event, at least 1; None: too few to tell. Shape: (windows, 1)."""
    independent = events(n, failed)
    if independent is None:
        return None
    return max(1.0, float(failed.sum()) / independent) if independent else 1.0


def _rate(threshold: Threshold, plan: Plan, windows: Sequence[Window]) -> ThresholdVerdict:
    rates = level_rates(plan, windows)
    broken = {verdict.level for verdict in verdicts(plan, windows) if verdict.answer == "not met"}
    held = level_rates(plan, [window for window in windows if window.level not in broken])
    if not rates:
        return replace(_nothing(threshold), why="no level has enough requests for a rate")
    tail = ALPHA / 2 / len(rates)
    reach = [t_quantile(tail, rate.freedom) * rate.error_per_s for rate in rates]
    # What does not hold the threshold cannot be offered, but it shows what cannot be reached either.
    highest = max(rate.per_s + error for rate, error in zip(rates, reach, strict=True))
    lows = [rate.per_s - t_quantile(tail, rate.freedom) * rate.error_per_s for rate in held]
    lowest = max([0.0, *lows])
    best = max((rate.per_s for rate in held), default=None)
    answer: Answer = "met" if lowest > threshold.limit else "not met" if highest < threshold.limit else "undecided"
    why = "the highest of the levels' mean rates at which the latency condition held"
    return ThresholdVerdict(threshold.text, answer, threshold.limit, best, lowest, highest, why)


def _nothing(threshold: Threshold) -> ThresholdVerdict:
    return ThresholdVerdict(threshold.text, "undecided", threshold.limit, why="nothing was measured against it")
