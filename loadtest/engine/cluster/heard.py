"""What a master believes of a worker's messages, and a worker of its master's: types and bounds, before anything else.

Nobody vouches for what comes over the network. Each function gives the value that a message tells, or raises ValueError
with what is wrong with it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from loadtest.engine.messages import MAX_TEXT, heard_failure
from loadtest.errors import LoadtestError, Problem, SpecError

__all__ = ["Ready", "clock_times", "count", "failure", "finite", "members", "ready", "text", "user_times"]

MAX_ITEMS, MAX_PROBLEMS = 1_000_000, 1000
FAULTS = ("spec", "target", "engine")
MAX_USER_SLACK_S = 120.0  # a worker that was late may tell of a time after the plan's end


def members(data: object) -> Mapping[str, Any]:
    """A message's members; ValueError if it has none."""
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise ValueError("it is no object")
    return data


def text(data: Mapping[str, Any], name: str, most: int = MAX_TEXT) -> str:
    value = data.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"its {name} is no text of at most {most} characters")
    return value


def finite(data: Mapping[str, Any], name: str, least: float = -1e12, most: float = 1e12) -> float:
    value: Any = data.get(name)
    if not _is_number(value) or not least <= value <= most:
        raise ValueError(f"its {name} is no number from {least:g} to {most:g}")
    return float(value)


def count(data: Mapping[str, Any], name: str, most: float = MAX_ITEMS) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"its {name} is no count of at most {most:,.0f}")
    return value


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker's message that it can begin. digest, payload: hex SHA-256 of the plan as understood and of the bodies.
    facts: of the target.
    """

    digest: str
    payload: str
    facts: Mapping[str, str]


def ready(data: object) -> Ready:
    told = members(data)
    facts = members(told.get("facts"))
    if len(facts) > 100 or not all(isinstance(value, str) and len(value) <= MAX_TEXT for value in facts.values()):
        raise ValueError("its facts are no short texts")
    return Ready(text(told, "digest", 64), text(told, "payload", 64), dict(facts))


def clock_times(data: object) -> tuple[float, float]:
    """(asked, answered): epoch seconds of the two clocks."""
    told = members(data)
    return finite(told, "asked"), finite(told, "here")


def failure(data: object, where: str) -> LoadtestError:
    """The exception that a worker tells of, as it had it; where: which worker, said before each of its problems."""
    told = members(data)
    problems = told.get("problems")
    if told.get("fault") not in FAULTS:
        raise ValueError(f"its fault is none of {', '.join(FAULTS)}")
    if not isinstance(problems, list) or len(problems) > MAX_PROBLEMS:
        raise ValueError("its problems are no list")
    if not problems or not all(_is_problem(each) for each in problems):
        raise ValueError("its problems are not each a path, a value, a rule and an advice")
    failed = heard_failure(told)
    if isinstance(failed, SpecError):
        said = [f"{where}: {each.path}" if each.path else where for each in failed.problems]
        return SpecError([replace(each, path=path) for each, path in zip(failed.problems, said, strict=True)])
    return type(failed)(f"{where}: {failed}")


def user_times(data: Mapping[str, Any], name: str, users: int, end_s: float) -> list[list[float]]:
    """[[user, planned_s, actual_s], ...] of users that started or stopped. users: their numbers are below it."""
    found = data.get(name)
    if not isinstance(found, (list, tuple)) or len(found) > users:
        raise ValueError(f"its {name} are no list of at most {users:,} rows")
    for row in found:
        numbers = isinstance(row, (list, tuple)) and len(row) == 3 and all(_is_number(value) for value in row)
        if not numbers or not isinstance(row[0], int) or not 0 <= row[0] < users or not _within(row[1:], end_s):
            raise ValueError(f"its {name} have a row that is no user and two times of the run")
    return [list(row) for row in found]


def _is_problem(told: object) -> bool:
    if not isinstance(told, Mapping) or set(told) != {field.name for field in fields(Problem)}:
        return False
    return all(isinstance(value, str) and len(value) <= MAX_TEXT for value in told.values())


def _within(times_s: Sequence[float], end_s: float) -> bool:
    return -MAX_USER_SLACK_S <= min(times_s) <= max(times_s) <= end_s + MAX_USER_SLACK_S


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
