"""Traffic and thresholds in a few characters, for the command line: text -> members of a request.

    stairs  = users "x" steps "/" duration              2x5/10m           2, 4, 6, 8, 10 users; 10 minutes in all
    phases  = phase *( "," phase )                      1+3/120s,7/5m     from 1 user 3 more a minute, then 7 users
    phase   = users [ "+" users-a-minute ] "/" duration                   without "+": nobody is added
    limit   = duration                                  200ms             whole milliseconds
    duration = 1*( number ( "h" / "m" / "s" / "ms" ) )  90s, 1h30m        whole seconds, as the API counts them

Spaces around a part do not matter. Whatever is wrong is said at once, with its place. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loadtest.errors import Problem
from loadtest.jobfile.duration import seconds_of

__all__ = ["LIMIT_FORM", "PHASES_FORM", "STAIRS_FORM", "TextReader", "limit_ms_of", "phases_of", "stairs_of"]

STAIRS_FORM = "USERSxSTEPS/DURATION, such as 2x5/10m"
PHASES_FORM = "USERS+USERS_A_MINUTE/DURATION,..., such as 1+3/120s,7/5m"
LIMIT_FORM = "milliseconds with their unit, such as 200ms"
MAX_TEXT = 1000
_MOST_DIGITS = 10  # the API's integers have 32 bits: the request's own check says so


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the text. at: where it begins in the whole."""

    text: str
    at: int

    def split(self, mark: str) -> Iterator[_Part]:
        at = self.at
        for piece in self.text.split(mark):
            yield _Part(piece.strip(), at + len(piece) - len(piece.lstrip()))
            at += len(piece) + len(mark)


class TextReader:
    """Reads one text. path: of the problems (`--stairs`). form: what the text should look like."""

    def __init__(self, path: str, text: str, form: str) -> None:
        # One character stays one column: the place of a fault is shown below it.
        self._text = "".join(each if each.isprintable() else "?" for each in text[:MAX_TEXT])
        self._path, self._form = path, form
        self.problems: list[Problem] = []
        self.whole = _Part(self._text, 0)
        if len(text) > MAX_TEXT:
            self.fault(self.whole, f"is longer than {MAX_TEXT} characters")

    def fault(self, part: _Part, rule: str) -> None:
        """Note what is wrong with a part, with a caret below where it begins."""
        before = max(0, part.at - 60)  # of a long text, what is around the place
        shown = self._text[before : before + 100]
        advice = f"write {self._form}\n    {shown}\n    {' ' * (part.at - before)}^"
        self.problems.append(Problem(self._path, repr(part.text[:40]) if part.text else "nothing", rule, advice))

    def pair(self, part: _Part, mark: str, rule: str) -> tuple[_Part, _Part] | None:
        """The two parts around a mark that is there once; None: it is not, which is noted."""
        parts = list(part.split(mark))
        if len(parts) == 2:
            return parts[0], parts[1]
        self.fault(part, rule)
        return None

    def number(self, part: _Part, what: str, low: int = 1) -> int:
        """A whole number of at least `low`; `low` if it is none, which is noted."""
        digits = part.text.isascii() and part.text.isdigit() and len(part.text) <= _MOST_DIGITS
        if digits and int(part.text) >= low:
            return int(part.text)
        self.fault(part, f"{what} must be a whole number of at least {low}")
        return low

    def units(self, part: _Part, what: str, per_s: int) -> int:
        """A duration in whole units of 1/`per_s` s, at least one; 1 if it is none, which is noted."""
        seconds = seconds_of(part.text)
        name = "seconds" if per_s == 1 else "milliseconds"
        if seconds is None:
            self.fault(part, f"{what} must be a duration with its unit")
        elif seconds < Decimal(1) / per_s or seconds * per_s != int(seconds * per_s):
            self.fault(part, f"{what} must be whole {name}, at least one")
        else:
            return int(seconds * per_s)
        return 1


def stairs_of(text: str, path: str = "--stairs") -> tuple[dict[str, Any], list[Problem]]:
    """(TrafficPattern, problems) of `2x5/10m`. With problems, the pattern is a valid one that stands in."""
    reader = TextReader(path, text, STAIRS_FORM)
    stairs = {"DurationInSeconds": 1, "NumberOfSteps": 1, "UsersPerStep": 1}
    halves = reader.pair(reader.whole, "/", "needs one '/' between steps and duration")
    if halves is not None:
        steps = reader.pair(halves[0], "x", "needs one 'x' between users and steps")
        if steps is not None:
            stairs["UsersPerStep"] = reader.number(steps[0], "users a step")
            stairs["NumberOfSteps"] = reader.number(steps[1], "steps")
        stairs["DurationInSeconds"] = reader.units(halves[1], "the duration", 1)
    return {"TrafficType": "STAIRS", "Stairs": stairs}, reader.problems


def phases_of(text: str, path: str = "--phases") -> tuple[dict[str, Any], list[Problem]]:
    """(TrafficPattern, problems) of `1+3/120s,7/5m`. With problems, the pattern is a valid one that stands in."""
    reader = TextReader(path, text, PHASES_FORM)
    phases = []
    for part in reader.whole.split(","):
        phase = {"InitialNumberOfUsers": 1, "SpawnRate": 0, "DurationInSeconds": 1}
        halves = reader.pair(part, "/", "a phase needs one '/' between users and duration")
        if halves is not None:
            users, *more = halves[0].split("+")
            phase["InitialNumberOfUsers"] = reader.number(users, "users at the start")
            if more:
                phase["SpawnRate"] = reader.number(more[0], "users a minute", low=0)
            for each in more[1:]:
                reader.fault(each, "a phase has one number of users a minute")
            phase["DurationInSeconds"] = reader.units(halves[1], "the duration", 1)
        phases.append(phase)
    return {"TrafficType": "PHASES", "Phases": phases}, reader.problems


def limit_ms_of(text: str, path: str) -> tuple[int, list[Problem]]:
    """(whole milliseconds, problems) of `200ms`. With problems, it is 1."""
    reader = TextReader(path, text, LIMIT_FORM)
    return reader.units(_Part(reader.whole.text.strip(), 0), "the limit", 1000), reader.problems
