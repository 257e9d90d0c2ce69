"""Every exception that `loadtest` raises on purpose, split by whose fault it was.

    LoadtestError
    ├── SpecError        the caller's: a job request, an option or a file is wrong (exit code 2)
    ├── TargetError      the target plug-in's: it cannot be opened or breaks its contract (exit code 2)
    └── EngineError      ours: the generator could not be started or was lost (exit code 1)

A failed invocation is none of these: it is an `Outcome` (loadtest.core.measure.outcome).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "EngineError",
    "LoadtestError",
    "Problem",
    "SpecError",
    "TargetError",
    "clipped",
    "explained_at",
    "masked",
    "readable",
    "words",
]


MOST_SHOWN = 200  # characters of a value that stands in a message
_PAGE = "docs/troubleshooting.md"

_SCHEME = r"(?:[A-Za-z][A-Za-z0-9+.-]*:/+)"
_URL = re.compile(rf"({_SCHEME}).*@", re.DOTALL)
_URL_INSIDE = re.compile(rf"({_SCHEME})[^'\"@\n]{{0,300}}@")
_LONG = re.compile(rf"[^\s'\"]{{{MOST_SHOWN + 1},}}")
_WORD = re.compile(r"(?:^|(?<=[\s'\"(=]))[^\s'\"/@:]{0,100}:[^\s/][^\s]{0,300}@")


def masked(text: str) -> str:
    """`text` without what may be the password of a URL in it, well-formed or not: `http://u:pw@h/a b`, `u:pw@h:80`."""
    whole = _URL.match(text)
    if whole is not None:
        return f"{whole[1]}...@{text[whole.end() :]}"
    return _WORD.sub("...@", _URL_INSIDE.sub(r"\1...@", text))


def clipped(text: str, most: int = MOST_SHOWN) -> str:
    """`text`, or as much of both of its ends as leaves `most` characters, and how many it has."""
    if len(text) <= most:
        return text
    return f"{text[: most * 3 // 4]}...{text[-(most // 8) :]} ({len(text):,} characters)"


def readable(text: str) -> str:
    """`text` as a message may show it: without passwords in URLs, its long words clipped."""
    return _LONG.sub(lambda match: clipped(match[0]), masked(text))


def words(problem: BaseException) -> str:
    """What went wrong, for whoever gave the file or the address: without error numbers, and a name that they know."""
    if isinstance(problem, UnicodeDecodeError):
        return f"it is not UTF-8 text: byte {problem.start} is 0x{problem.object[problem.start]:02x}"
    if isinstance(problem, OSError):
        reason = getattr(problem, "reason", None)  # of a URLError, often another OSError
        return words(reason) if isinstance(reason, BaseException) else problem.strerror or str(reason or problem)
    if isinstance(problem, ValueError) and "embedded null" in str(problem):  # each Python says it in other words
        return "the name has a null character in it"
    if isinstance(problem, RecursionError):
        return "it is nested too deep"
    mark = getattr(problem, "problem_mark", None)  # of a YAMLError, whose own text has several lines
    if mark is not None:
        told = getattr(problem, "problem", None) or getattr(problem, "context", None)
        return f"{told} at line {mark.line + 1}, column {mark.column + 1}"
    return f"{problem} is missing" if isinstance(problem, KeyError) else str(problem).partition("\n")[0]


def explained_at(*names: str) -> str:
    """Where the docs explain errors, reasons or failures of these names: `docs/troubleshooting.md#cpu, #steal`."""
    return _PAGE + ", ".join(f"#{name.lower()}" for name in names)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    path: where, in the caller's own names (`InputConfig.TrafficPattern.Phases[0].SpawnRate`); "" is the whole input.
    value: the offending value as a short text, "" if it is absent.
    rule: what is broken, as a sentence without a full stop.
    advice: what would be right, "" if the rule says it all.
    """

    path: str
    value: str
    rule: str
    advice: str = ""

    def __post_init__(self) -> None:
        # Here, not where a message is made: whoever tells of a problem would have to think of it.
        object.__setattr__(self, "value", clipped(masked(self.value)))
        for name in ("path", "rule", "advice"):
            object.__setattr__(self, name, readable(getattr(self, name)))

    def __str__(self) -> str:
        where = self.path or "request"
        got = f" (got {self.value})" if self.value else ""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{where}: {self.rule}{got}{advice}"


class LoadtestError(Exception):
    """Base of all; never raised itself. Its text is readable, wherever it came from: see `readable`."""

    def __init__(self, text: str) -> None:
        super().__init__(readable(text))

    @property
    def explained_at(self) -> str:
        """Where the docs explain errors of this class, or of the one in this module that it is one of."""
        known = next(each for each in type(self).__mro__ if each.__module__ == __name__)
        return f"{known.__name__}: see {explained_at(known.__name__)}"


class SpecError(LoadtestError):
    """The input is wrong. `problems` lists every fault found, in document order, never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class TargetError(LoadtestError):
    """A target cannot be opened, or a target plug-in broke its contract."""


class EngineError(LoadtestError):
    """The load generator could not be started or ended without a result."""
