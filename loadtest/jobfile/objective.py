"""What a capacity search is to hold and how it is bounded: a job, its scenario and a few words -> SearchSettings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.core.request.search import By, Objective, SearchSettings
from loadtest.core.request.spec import JobSpec
from loadtest.core.result.thresholds import parse_thresholds
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.jobfile import ScenarioOptions
from loadtest.jobfile.search_wish import SearchWish

__all__ = ["MOST_RATE_PER_S", "MOST_USERS", "search_of"]

MOST_USERS, MOST_RATE_PER_S = 1000, 10_000.0
START_RATE_PER_S = 1.0


def search_of(spec: JobSpec, scenario: ScenarioOptions, wish: SearchWish = SearchWish()) -> SearchSettings:
    """The settings; where `wish` is silent, the scenario's count. Raises SpecError with every problem.

    The objectives are the job's ModelLatencyThresholds, the texts', and the smallest of the error budgets.
    """
    problems: list[Problem] = []
    wish = wish if scenario.search is None else wish.over(scenario.search)
    by: By = wish.by or "users"
    objectives, ratios = _objectives(spec, wish.texts, problems)
    ratios += [ratio for ratio in (spec.stop.max_error_ratio, scenario.options.max_error_ratio) if ratio is not None]
    if wish.max_rate is not None and by == "users":
        problems.append(Problem("--max-rate", f"{wish.max_rate:g}/s", "only a search by rate has it", "give --by rate"))
    if wish.max_users is not None and by == "rate":
        problems.append(Problem("--max-users", str(wish.max_users), "only a search by users has it"))
    if not objectives and not ratios:
        advice = "give --threshold 'p95<200ms', or a FILE with ModelLatencyThresholds"
        problems.append(Problem("--threshold", "", "nothing says what the endpoint is to hold", advice))
        objectives = [Objective(0.95, 1.0)]
    most = wish.max_users or MOST_USERS if by == "users" else wish.max_rate or MOST_RATE_PER_S
    said: dict[str, Any] = {
        name: value for name in ("within", "confidence", "budget_s") if (value := getattr(wish, name)) is not None
    }
    try:
        made = SearchSettings(
            objectives=tuple(objectives),
            max_error_ratio=min(ratios, default=None),
            max_invocations_per_min=spec.stop.max_invocations_per_min,
            by=by,
            start=min(1.0 if by == "users" else START_RATE_PER_S, most),
            max_load=float(most),
            **said,
        )
    except ValueError as problem:
        problems += [Problem("search", "", text) for text in str(problem).split("; ")]
    if problems:
        raise SpecError(problems)
    return made


def _objectives(spec: JobSpec, texts: Sequence[str], problems: list[Problem]) -> tuple[list[Objective], list[float]]:
    """(latency limits, error budgets)."""
    own = spec.stop.latency
    found = [] if own is None else [Objective(own.percentile, float(own.limit_ms))]
    ratios = []
    for threshold in parse_thresholds(texts, problems):
        if threshold.metric == "rate":
            rule = "is what a capacity search finds"
            problems.append(Problem("--threshold", threshold.text, rule, "give p95<200ms or error_rate<1%"))
        elif threshold.percentile is None:
            ratios.append(threshold.limit)
        elif (limit := Objective(threshold.percentile, threshold.limit)) not in found:
            found.append(limit)
    return found, ratios
