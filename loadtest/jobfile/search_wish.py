"""What somebody asks of a capacity search besides a job's own objective: in flags, or in a scenario's `search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import Findings, nearest, path_text, shown
from loadtest.core.request.findings import Path as ValuePath
from loadtest.core.request.search import By
from loadtest.core.result.thresholds import parse_threshold
from loadtest.errors import SpecError

__all__ = ["SearchWish", "wish_of"]

_BOUNDS = {
    "by": Bound(choices=get_args(By)),
    "within": Bound("number", 0.001, 0.5),
    "confidence": Bound("number", 0.5, 0.999),
    "budget_s": Bound("number", 5, 86_400),
    "max_users": Bound("whole", 1, 100_000),
    "max_rate_per_s": Bound("number", 1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class SearchWish:
    """What is wanted besides the job's own objective; None: not said. texts: `p95<200ms`, `error_rate<1%`.

    within, confidence: shares. budget_s: s. max_users, max_rate: the highest load, rate a second.
    """

    texts: Sequence[str] = ()
    by: By | None = None
    within: float | None = None
    confidence: float | None = None
    budget_s: float | None = None
    max_users: int | None = None
    max_rate: float | None = None

    def over(self, other: SearchWish) -> SearchWish:
        """This one, and where it is silent the other's word. Thresholds of both hold."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(other, **{**said, "texts": (*other.texts, *self.texts)})


def wish_of(value: object, path: ValuePath, findings: Findings) -> SearchWish:
    """A scenario's `search`; what is wrong with it is noted."""
    if not isinstance(value, dict):
        findings.error(path, shown(value), "must be an object")
        return SearchWish()
    said: dict[str, Any] = {}
    for name, member in value.items():
        if name == "thresholds":
            said["texts"] = _texts(member, (*path, name), findings)
        elif name not in _BOUNDS:
            advice = nearest(name, ("thresholds", *_BOUNDS))
            findings.error((*path, name), shown(member), "is not a valid member", advice)
        elif findings.check((*path, name), member, _BOUNDS[name]):
            said["max_rate" if name == "max_rate_per_s" else name] = member
    return SearchWish(**said)


def _texts(value: object, path: ValuePath, findings: Findings) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        findings.error(path, shown(value), "must be a list of texts", 'write ["p95<200ms"]')
        return ()
    for i, text in enumerate(value):
        try:
            parse_threshold(text)
        except SpecError as error:
            findings.add([replace(problem, path=path_text((*path, i))) for problem in error.problems])
            return ()
    return tuple(value)
