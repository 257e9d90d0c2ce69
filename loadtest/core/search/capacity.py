"""What a capacity search says: its next move, that it is over, and what it found. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from loadtest.core.plain import known, plain
from loadtest.core.request.search import By

__all__ = ["FINDINGS", "Capacity", "Finding", "Finished", "Margin", "More", "Move"]

Finding = Literal[
    "found",
    "searching",
    "drifting",
    "scaling out",
    "throttled",
    "generator limited",
    "budget",
    "above max",
    "below start",
    "between levels",
    "too short",
    "undecided",
]

FINDINGS: Mapping[Finding, str] = {
    "found": "the capacity is known as narrowly as was asked for",
    "searching": "the search is not over",
    "drifting": "the endpoint became slower or faster while it was searched: it has no capacity that stays",
    "scaling out": "the endpoint took much more than before: it grew while it was searched",
    "throttled": "the endpoint refuses what is above a rate: that is a quota, not what it could do",
    "generator limited": "the generator, not the endpoint, set the pace",
    "budget": "the time was over before the interval was as narrow as was asked for",
    "above max": "the highest load that was allowed meets the objective",
    "below start": "the first load breaks the objective already",
    "between levels": "one load meets the objective, the next breaks it, and they lie too far apart to say more",
    "too short": "a load seems to break the objective, but was not held long enough to show it",
    "undecided": "no load was held long enough to show that it meets the objective",
}


@dataclass(frozen=True, slots=True)
class Move:
    """From `at_s` on (s since the run's start) the load is `load`: users, or requests a second."""

    at_s: float
    load: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The search is over."""

    at_s: float
    finding: Finding
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Margin:
    """One of the objectives. name: `P95 <= 200 ms`, `errors <= 1 %`, `120,000 invocations/min`.

    load, low, high: the largest load that meets it, as far as that is known; None: it is not. load is above `shown_met`
    without being known where another objective binds first.
    share, allowed: of requests over the limit (or failed) at the capacity, and how many may be; None: not measured.
    """

    name: str
    load: float | None = None
    low: float | None = None
    high: float | None = None
    share: float | None = None
    allowed: float | None = None


@dataclass(frozen=True, slots=True)
class More:
    """So much more traffic would narrow the interval to the relative width `within`; an estimate."""

    within: float
    time_s: float
    requests: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is known of the largest load that meets every objective.

    finding, evidence: a key of FINDINGS, and the figures that speak for it. by: what loads are: users, or requests a
    second.
    load: the estimate; None unless `found`. low, high: the interval that holds the capacity with `confidence`; None:
    not known on that side. Users are whole: `low` and `high` are the smallest and the largest number that may be it.
    per_min, per_min_low, per_min_high: successful invocations a minute at them.
    shown_met, shown_broken: the highest load that was held and shown to meet the objective, and the lowest shown to
    break it, each by itself.
    knee_users: from which load on throughput no longer grows; None: it was not reached.
    binding: name of the objective that limits first; margins: all of them.
    requests, time_s: spent. above_s: of it, above the capacity. more: None: it is narrow enough, or cannot be told.
    clock: "client" or "model", whose latency limits are compared with (S4).
    """

    finding: Finding = "searching"
    by: By = "users"
    confidence: float = 0.95
    load: float | None = None
    low: float | None = None
    high: float | None = None
    per_min: float | None = None
    per_min_low: float | None = None
    per_min_high: float | None = None
    shown_met: float | None = None
    shown_broken: float | None = None
    knee_users: float | None = None
    binding: str | None = None
    margins: tuple[Margin, ...] = ()
    requests: int = 0
    time_s: float = 0.0
    above_s: float = 0.0
    more: More | None = None
    clock: str = "client"
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> float | None:
        """(high - low) / load, 0 for one whole number of users; None: not known on both sides."""
        if self.low is None or self.high is None:
            return None
        middle = self.load or (self.low + self.high) / 2
        return (self.high - self.low) / middle if middle else None

    @property
    def above_share(self) -> float:
        """Of the time."""
        return self.above_s / self.time_s if self.time_s else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = plain(asdict(self))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Capacity:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        kept = known(cls, values)
        kept["margins"] = tuple(Margin(**known(Margin, each)) for each in kept.get("margins", ()))
        more = kept.get("more")
        kept["more"] = more and More(**known(More, more))
        return cls(**kept)
