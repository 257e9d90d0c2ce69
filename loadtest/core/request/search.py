"""What a capacity search is asked for: objectives, how the load is told, how narrow, how sure, how long.

JSON values only: the settings are a member of the plan that a child process reads. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["By", "Goal", "Objective", "SearchSettings"]

By = Literal["users", "rate"]
Goal = Literal["objective", "plateau"]


@dataclass(frozen=True, slots=True)
class Objective:
    """The `percentile` (a share, 0..1) of the latency may be at most `limit_ms`; failures count as longer (S5)."""

    percentile: float
    limit_ms: float

    @property
    def name(self) -> str:
        """As people write it: P95 <= 200 ms."""
        return f"P{100 * self.percentile:g} <= {self.limit_ms:g} ms"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a capacity search is to find, and how.

    goal: the largest load that holds the objectives; or, of users, the one from which on more of them bring no more
    throughput, while failures stay below `max_error_ratio`. level_s: the longest that such a search stays at a load.
    objectives: all of them must hold. max_error_ratio: so must failures / all; None: not asked for.
    max_invocations_per_min: no more than that is wanted (MaxInvocations); None: as much as there is.
    by: the load is users (whole ones), or requests a second. within: relative width of the interval that is sought.
    confidence: that the interval holds the capacity. budget_s: of traffic, from its start. start, max_load: the first
    and the highest load. Raises ValueError for values out of range, or without anything to hold.
    """

    objectives: tuple[Objective, ...] = ()
    max_error_ratio: float | None = None
    max_invocations_per_min: float | None = None
    by: By = "users"
    within: float = 0.05
    confidence: float = 0.95
    budget_s: float = 600.0
    start: float = 1.0
    max_load: float = 1000.0
    goal: Goal = "objective"
    level_s: float = 20.0

    def __post_init__(self) -> None:
        wrong = [text for bad, text in self._checks() if bad]
        if wrong:
            raise ValueError("; ".join(wrong))

    def _checks(self) -> tuple[tuple[bool, str], ...]:
        ratio, most = self.max_error_ratio, self.max_invocations_per_min
        return (
            (
                self.goal == "objective" and not self.objectives and ratio is None and most is None,
                "a search needs an objective",
            ),
            (self.goal not in get_args(Goal), "the goal is an objective or a plateau"),
            (self.goal == "plateau" and self.by == "rate", "a plateau is searched by users"),
            (not self.level_s > 0, "a load is held for more than 0 s"),
            (any(not 0 < each.percentile < 1 for each in self.objectives), "a percentile is a share between 0 and 1"),
            (any(not each.limit_ms > 0 for each in self.objectives), "a latency limit is above 0 ms"),
            (ratio is not None and not 0 < ratio < 1, "an error share lies between 0 and 1"),
            (most is not None and not most > 0, "MaxInvocations is above 0"),
            (self.by not in get_args(By), "the load is told by users or by rate"),
            (not 0 < self.within < 1, "the width sought lies between 0 and 1"),
            (not 0.5 <= self.confidence < 1, "the confidence lies between 50 % and 100 %"),
            (not self.budget_s > 0, "the budget is above 0 s"),
            (not 0 < self.start <= self.max_load, "the first load is above 0 and at most the highest"),
            (self.by == "users" and self.start < 1, "the first load is one user or more"),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchSettings:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        return cls(**{**values, "objectives": tuple(Objective(**each) for each in values["objectives"])})
