"""The capacity that an ordinary run shows: stairs, phases. The same statistics as a search, no moves.

Every stretch of one load is a visit, cut into blocks of four windows or a tenth of it; the lines, the levels' tests and
how the error is shared are those of a search (`known.py`). What a run cannot choose is where its loads lie. So

    a line is drawn only where loads on both sides of the limit are at most 1.8 times apart, and the share over it grows
    from one to the other: further it is not straight;
    nothing is said of loads beyond the highest that was held, nor of windows that the generator limited;
    a cold start is left out, and after a rise of the load the windows until two mean latencies, one window at least.

A run may have ended because of what it saw: its intervals are stretched by a tenth, as a search's are. One rise cannot
tell a load that is too high from an endpoint that became slower meanwhile, except by the mean latency within levels.
No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from loadtest.core.measure.window import Window
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.search.capacity import Capacity, Finding, Finished
from loadtest.core.search.fit import Crossing
from loadtest.core.search.known import NEAR, Known
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Criterion, Reading, criteria_of, reading_of
from loadtest.core.search.visit import latency_s
from loadtest.core.traffic.plan import Plan

__all__ = ["capacity_of_levels", "capacity_of_visits"]

Span = tuple[float, float]
"""(start, end), s since the run's start."""

FURTHEST = NEAR**2  # two loads that a line is drawn between
BLOCK_WINDOWS, BLOCKS = 4, 10
PATIENT_WINDOWS = 3  # in which a queue may go on draining after a fall of the load
NONE = ("drifting", "scaling out", "throttled")  # findings that take the numbers away
LIMITED = 0.5  # of a load's windows: then the generator is what was measured
LEAST_OVER = 3  # requests over a limit: without any at the lower load there is no line
THROTTLED, LEAST_THROTTLED = 0.5, 20
SLACK_S = 1e-6


def capacity_of_levels(
    plan: Plan,
    windows: Sequence[Window],
    objectives: Sequence[Objective] = (),
    max_error_ratio: float | None = None,
    cold: Sequence[Span] = (),
) -> Capacity | None:
    """What `windows`, those of the traffic of a run of `plan`, in order, show of the largest load.

    objectives, max_error_ratio: besides the plan's own threshold and error budget. cold: cold starts.
    None: nothing says what a load is to hold, there is one load only, or nothing was measured.
    """
    settings = _settings(plan, objectives, max_error_ratio)
    if settings is None:
        return None
    criteria = criteria_of(settings)
    visits = [
        (load, [each for each in (_reading(w, plan, criteria) for w in visit) if not _in(each, cold)])
        for load, visit in _visits(plan, windows)
    ]
    return capacity_of_visits(settings, visits)


def capacity_of_visits(settings: SearchSettings, visits: Sequence[tuple[float, Sequence[Reading]]]) -> Capacity | None:
    """visits: (load, its windows in a row), in the order of time; None: nothing was measured."""
    known = Known.of(settings)
    limited = _read(visits, known)
    if not known.levels:
        return None
    _place(known)
    if known.low and known.high < math.inf and known.high <= FURTHEST * known.low:
        known.crossings = _lines(known)
    found = _finding(known, limited)
    known.finished = Finished(known.time_s, found, known.evidence())
    return _told(known.capacity(), known, max(limited))


def _settings(plan: Plan, objectives: Sequence[Objective], max_error_ratio: float | None) -> SearchSettings | None:
    own = plan.stop.latency
    asked = [*([] if own is None else [Objective(own.percentile, float(own.limit_ms))]), *objectives]
    ratios = [each for each in (plan.stop.max_error_ratio, max_error_ratio) if each and each < 1]
    loads = {float(step.users) for step in plan.curve.steps if step.users}
    if plan.arrivals is not None or len(loads) < 2 or not (asked or ratios):
        return None
    return SearchSettings(
        objectives=tuple(dict.fromkeys(asked)),
        max_error_ratio=min(ratios, default=None),
        start=min(loads),
        max_load=max(loads),
    )


def _read(visits: Sequence[tuple[float, Sequence[Reading]]], known: Known) -> dict[float, list[bool]]:
    """Fill in the levels; whether each window was limited by the generator, by load."""
    limited: dict[float, list[bool]] = {}
    block, held = 0, 0.0
    for load, readings in visits:
        if not readings:
            continue
        since_s, fell, held = readings[0].start_s if held else 0.0, load < held, load
        known.requests += sum(each.n for each in readings)
        known.time_s = readings[-1].end_s
        known.spent_s[load] = known.spent_s.get(load, 0.0) + readings[-1].end_s - readings[0].start_s
        known.by_model = known.by_model or any(each.by_model for each in readings)
        limited.setdefault(load, []).extend(each.limited for each in readings)
        kept = [each for each in _settled(readings, since_s, fell) if each.n and not each.limited]
        if not kept:
            continue
        level = known.levels.setdefault(load, Level(load, len(known.levels) + 1))
        size = max(BLOCK_WINDOWS, -(-len(kept) // BLOCKS))
        level.readings += kept
        level.visits += [block + i // size for i in range(len(kept))]
        block = level.visits[-1] + 1
    return limited


def _reading(window: Window, plan: Plan, criteria: tuple[Criterion, ...]) -> Reading:
    """What is over the plan's own threshold was counted by the generator, on each request's latency."""
    if plan.stop.latency is None:
        return reading_of(window, criteria, plan.options.latency_clock)
    others = reading_of(window, criteria[1:], plan.options.latency_clock)
    by_model = plan.options.latency_clock != "client" and bool(window.latencies.model.encoded)
    return replace(others, over=(window.counts.over, *others.over), by_model=by_model)


def _visits(plan: Plan, windows: Sequence[Window]) -> Iterator[tuple[float, list[Window]]]:
    """(load, its windows in a row); windows in which the load changes are in none."""
    changes_s = [step.at_s for step in plan.curve.steps[1:]]
    at, load, visit = 0, 0.0, list[Window]()
    for window in windows:
        begun = at
        while at < len(changes_s) and changes_s[at] <= window.start_s + SLACK_S:
            at += 1
        if at > begun and visit:
            yield load, visit
            visit = []
        users = plan.curve.users_at(window.start_s + SLACK_S)
        if users and not (at < len(changes_s) and changes_s[at] < window.end_s - SLACK_S):
            load = float(users)
            visit.append(window)
    if visit:
        yield load, visit


def _settled(readings: Sequence[Reading], since_s: float, fell: bool) -> Iterator[Reading]:
    """Those that are of this load alone. since_s: since when it is held; 0: it is the run's first."""
    for i, reading in enumerate(readings):
        before = readings[i - 1] if i else None
        if since_s and (before is None or reading.start_s < since_s + 2 * latency_s(before)):
            continue
        if fell and before and i < PATIENT_WINDOWS and latency_s(reading) < 0.9 * latency_s(before):
            continue
        yield reading


def _in(reading: Reading, spans: Sequence[Span]) -> bool:
    return any(start_s - SLACK_S < reading.end_s and reading.start_s < end_s - SLACK_S for start_s, end_s in spans)


def _place(known: Known) -> None:
    """Which loads seem to meet everything, and which seem to break something."""
    for load, level in sorted(known.levels.items()):
        if any(level.over(i) > each.allowed * level.n for i, each in enumerate(known.criteria)):
            known.high = min(known.high, load)
        else:
            known.low = max(known.low, load)
    if known.low > known.high:
        # They lie among each other, as they do where the share is near to what is allowed.
        known.low, known.high = known.high, known.low


def _lines(known: Known) -> tuple[Crossing | None, ...]:
    """Of the criteria whose share over the limit grows between the two loads; None each where one leaps instead.

    With fixed service times it leaps from nothing to a quarter, and no line says where.
    """
    low, high = known.levels[known.low], known.levels[known.high]
    counted = range(len(known.criteria))
    breaks = [high.over(i) > known.criteria[i].allowed * high.n for i in counted]
    grows = [low.over(i) >= LEAST_OVER and high.over(i) < high.n for i in counted]
    if any(breaks[i] and not grows[i] for i in counted):
        return (None,) * len(known.criteria)
    return tuple(line if grows[i] else None for i, line in enumerate(known.lines(known.near())))


def _finding(known: Known, limited: dict[float, list[bool]]) -> Finding:
    top = max(limited)
    if sum(limited[top]) > LIMITED * len(limited[top]):
        return "generator limited"
    broken = [level for load, level in known.levels.items() if load >= known.high]
    throttled = sum(reading.throttled for level in broken for reading in level.readings)
    failed = sum(max(reading.over) for level in broken for reading in level.readings)
    if throttled >= LEAST_THROTTLED and throttled > THROTTLED * failed:
        return "throttled"
    met, broke = known.shown()
    if _contradicts(known):
        return "drifting"
    if known.high == math.inf:
        return "above max" if met == top else "undecided"
    if any(each is not None for each in known.crossings):
        low, high = known.interval()
        if low and high is not None and high <= top:
            return known.drift() or "found"
    if broke is not None and broke == min(known.levels):
        return "below start"
    if met is None:
        return "undecided"
    if broke is None:
        return "too short"
    low, high = known.interval()
    return "found" if low == high else "between levels"


def _contradicts(known: Known) -> bool:
    """A load is shown to meet everything, and a lower one to break something."""
    answers = known.answers()
    broke = min((load for load, answer in answers.items() if answer < 0), default=math.inf)
    return any(answer > 0 and load > broke for load, answer in answers.items())


def _told(capacity: Capacity, known: Known, top: float) -> Capacity:
    """With what may be said only. top: the highest load that was held."""
    ends = dict.fromkeys(("high", "per_min_high"))
    if capacity.finding in NONE:
        capacity = replace(capacity, load=None, low=None, per_min_low=None, **ends)  # type: ignore[arg-type]
    elif capacity.finding == "generator limited" or (capacity.high is not None and capacity.high > top):
        capacity = replace(capacity, **ends)  # type: ignore[arg-type]
    elif capacity.finding == "found":
        capacity = replace(capacity, more=known.more(capacity.low or 0.0, capacity.high))
    return capacity
