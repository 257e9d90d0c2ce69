"""What is wrong with an input, collected while it is read: errors, and what a lenient profile lets through.

Pure values; shows any JSON value as a short text without raising or growing with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Protocol

from loadtest.errors import Problem, SpecError

__all__ = ["Findings", "Path", "nearest", "path_text", "shown"]

Path = tuple[str | int, ...]

MAX_PROBLEMS = 1000  # a million wrong items help nobody, and listing them takes minutes
_SHOWN_CHARACTERS = 60
_SHOWN_BITS = 128


class _TooMany(Exception):
    """Enough problems were found."""


class _Bound(Protocol):
    """What a value may be: `core.request.bounds`."""

    def fault(self, value: object) -> tuple[str, str] | None: ...


class Findings:
    """Problems found so far.

    strict: documented bounds are errors, not warnings. where: stands before the path of each (`mock:`, `fleet.yaml: `).
    """

    def __init__(self, strict: bool = True, where: str = "") -> None:
        self._strict = strict
        self._where = where
        self._collecting = False
        self._errors: list[tuple[Path, Problem]] = []
        self._warnings: list[tuple[Path, Problem]] = []
        self._blamed: set[Path] = set()

    def error(self, path: Path, value: str, rule: str, advice: str = "") -> None:
        """Note a problem that makes the input unusable."""
        self._note(self._errors, path, value, rule, advice)

    def bound(self, path: Path, value: str, rule: str, advice: str = "") -> None:
        """Note a problem that only the strict profile refuses."""
        self._note(self._errors if self._strict else self._warnings, path, value, rule, advice)

    def add(self, problems: Iterable[Problem]) -> None:
        """Take over the errors that another check found, whose paths are whole."""
        room = MAX_PROBLEMS - len(self._errors)
        self._errors.extend(((), problem) for problem in islice(problems, max(room, 0)))

    def check(self, path: Path, value: object, bound: _Bound, got: str | None = None) -> bool:
        """Whether `value` is what `bound` says; if not, that is noted. got: how the value is shown; None: as any."""
        fault = bound.fault(value)
        if fault is not None:
            self.error(path, shown(value) if got is None else got, *fault)
        return fault is None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The errors, in the order in which they were found."""
        return tuple(problem for _, problem in self._errors)

    def blames(self, path: Path) -> bool:
        """There is an error at this path or above it."""
        return any(path[:length] in self._blamed for length in range(len(path) + 1))

    def collect(self, checks: Iterable[Callable[[], None]]) -> None:
        """Run each check in turn; stop when there are too many problems to list."""
        self._collecting = True
        try:
            for check in checks:
                check()
        except _TooMany:
            pass
        finally:
            self._collecting = False

    def warnings(self, document: object) -> tuple[Problem, ...]:
        """The warnings in document order."""
        return _ordered(self._warnings, document)

    def raise_errors(self, document: object = None) -> None:
        """Raise SpecError with every error, in the order of the document if there is one; nothing if there is none."""
        if not self._errors:
            return
        problems = self.problems if document is None else _ordered(self._errors, document)
        if len(problems) >= MAX_PROBLEMS:
            problems += (Problem("", "", f"there are more than {MAX_PROBLEMS} problems; the rest is not listed"),)
        raise SpecError(problems)

    def _note(self, found: list[tuple[Path, Problem]], path: Path, value: str, rule: str, advice: str) -> None:
        if len(found) >= MAX_PROBLEMS:
            if self._collecting:
                raise _TooMany
            return
        if found is self._errors:
            self._blamed.add(path)
        found.append((path, Problem(self._where + path_text(path), value, rule, advice)))


def path_text(path: Path) -> str:
    """`InputConfig.TrafficPattern.Phases[0].SpawnRate`; names that are no identifiers are quoted, so it is one line."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:  # a key of YAML may be anything
            plain = isinstance(part, str) and part.isidentifier() and len(part) < 100
            text += ("." if text else "") + (part if plain else shown(part))
    return text


def shown(value: object) -> str:
    """Any value as one short line of text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        cut = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "..."
        return repr(cut)
    if isinstance(value, int):
        # str() of an integer of more than 4300 digits raises.
        return str(value) if value.bit_length() <= _SHOWN_BITS else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"an object of {len(value)} members" if value else "an empty object"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"a {type(value).__name__}"


def nearest(name: object, valid: Iterable[str]) -> str:
    """Advice: the valid name most like `name`, else all of them if they are few, else ""."""
    by_folded = {candidate.casefold(): candidate for candidate in valid}
    if isinstance(name, str):
        close = difflib.get_close_matches(name[:100].casefold(), by_folded, n=1)
        if close:
            return f"did you mean {by_folded[close[0]]}?"
    return f"use one of {', '.join(by_folded.values())}" if len(by_folded) <= 12 else ""


def _ordered(found: list[tuple[Path, Problem]], document: object) -> tuple[Problem, ...]:
    places: dict[int, dict[object, int]] = {}

    def position(path: Path) -> tuple[int, ...]:
        """Where the path lies in the document; a member that is absent comes after its siblings."""
        positions: list[int] = []
        value: Any = document
        for part in path:
            if isinstance(part, int):
                positions.append(part)
                value = value[part] if isinstance(value, (list, tuple)) and part < len(value) else None
            elif isinstance(value, Mapping):
                if id(value) not in places:
                    places[id(value)] = {name: i for i, name in enumerate(value)}
                positions.append(places[id(value)].get(part, len(value)))
                value = value.get(part)
            else:
                positions.append(0)
        return tuple(positions)

    return tuple(problem for _, problem in sorted(found, key=lambda each: position(each[0])))
