"""Checks a request against the service model's Shape tree, as AWS's own framework does before an operation runs.

Two passes, as there. `read` settles types: what cannot be read at all is one SerializationException. `violations` then
checks required members, lengths, values, enumerations and patterns; every violation is reported at once, in AWS's
words. boto3 and the AWS CLI check required members, types and minimums only, so the rest must happen here.

Members unknown to the model are what an older service sees of a newer client: AWS skips them. `read` drops them unless
it is told to keep them for somebody who reports them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from botocore.model import ListShape, Shape, StructureShape

from loadtest.core.request.findings import Path, path_text
from loadtest.errors import clipped

__all__ = ["Unreadable", "Violation", "message", "read", "violations"]

_INTEGER_RANGE: Mapping[str, tuple[int, int]] = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
LISTED = 100  # violations that a message lists; the rest is counted, so that no answer outgrows its request by far
# A pattern is not tried on a text that is already too long: some patterns take time quadratic in the length.
_PATTERN_CHARACTERS = 8192


class Violation(NamedTuple):
    """A broken constraint. path: of the member, in the API's names (`Tags[0].Key`). text: in AWS's words."""

    path: str
    text: str


class Unreadable(ValueError):
    """A value's JSON type is not the member's; the text is the message of a SerializationException."""


def read(value: Any, shape: Shape, *, keep_unknown: bool = False) -> Any:
    """The value as the model's types say: nulls dropped, whole floats as int, timestamps as float epoch seconds.

    Raises Unreadable at the first value of a wrong type.
    """
    if isinstance(shape, StructureShape):
        return _read_structure(_as(dict, value, shape), shape, keep_unknown)
    if isinstance(shape, ListShape):
        items = _as(list, value, shape)
        return [read(item, shape.member, keep_unknown=keep_unknown) for item in items if item is not None]
    if shape.type_name == "string":
        return _as(str, value, shape)
    if shape.type_name == "boolean":
        return _as(bool, value, shape)
    if shape.type_name in _INTEGER_RANGE:
        return _read_integer(value, shape)
    if shape.type_name in ("float", "double", "timestamp"):
        return _read_real(value, shape)
    raise AssertionError(f"{shape.name}: no request here has a {shape.type_name}")


def violations(value: Mapping[str, Any], shape: Shape, *, capacity_bounds: bool = True) -> list[Violation]:
    """Every constraint that the value (from `read`) breaks, as AWS words it; empty if there is none.

    capacity_bounds: numbers and lists have maximums too. Without it only what is meaningless is refused (minimums,
    text lengths, enumerations, patterns), which is the profile `relaxed`.
    """
    found = enumerate(_violations(value, shape, (), capacity_bounds))
    return [each._replace(text=each.text[:4096] if i < LISTED else "") for i, each in found]


def message(found: list[str]) -> str:
    """The message of the ValidationException that reports these violations."""
    plural = "error" if len(found) == 1 else "errors"
    left = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"{len(found)} validation {plural} detected: {'; '.join(found[:LISTED])}{left}"


def _read_structure(value: Mapping[str, Any], shape: StructureShape, keep_unknown: bool) -> dict[str, Any]:
    known = {
        name: read(value[name], member, keep_unknown=keep_unknown)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }
    if keep_unknown:
        known.update((name, item) for name, item in value.items() if name not in shape.members)
    return known


def _read_integer(value: Any, shape: Shape) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    low, high = _INTEGER_RANGE[shape.type_name]
    number: int = _as(int, value, shape)
    if not low <= number <= high:
        raise Unreadable(f"{_shown(number)} is out of the range of {_article(shape.type_name.capitalize())}")
    return number


def _read_real(value: Any, shape: Shape) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unreadable(value, shape)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unreadable(f"{_shown(value)} is out of the range of {_article(shape.type_name.capitalize())}")
    return number


def _as(kind: type, value: Any, shape: Shape) -> Any:
    # bool is an int to Python, but not to JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _unreadable(value, shape)
    return value


_TOKEN: Mapping[type, str] = {
    dict: "START_OBJECT",
    list: "START_ARRAY",
    str: "STRING_VALUE",
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
}


def _unreadable(value: Any, shape: Shape) -> Unreadable:
    kind = {"structure": "Structure", "list": "List"}.get(shape.type_name, shape.type_name.capitalize())
    return Unreadable(f"{_TOKEN[type(value)]} can not be converted to {_article(kind)}")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOU' else 'a'} {noun}"


def _violations(value: Any, shape: Shape, path: Path, capacity_bounds: bool) -> Iterator[Violation]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if name in value:
                yield from _violations(value[name], member, (*path, name), capacity_bounds)
            elif name in shape.required_members:
                yield _violation("null", (*path, name), "Member must not be null")
        return
    for rule in _broken(value, shape, capacity_bounds):
        yield _violation(f"'{_shown(value)}'", path, rule)
    if isinstance(shape, ListShape):
        yield from _item_violations(value, shape, path, capacity_bounds)


def _item_violations(value: list[Any], shape: ListShape, path: Path, capacity_bounds: bool) -> Iterator[Violation]:
    if isinstance(shape.member, StructureShape):
        for position, item in enumerate(value):
            yield from _violations(item, shape.member, (*path, position), capacity_bounds)
        return
    # AWS names the list, not the item, and gives every rule of the items at once.
    if any(next(_broken(item, shape.member, capacity_bounds), None) for item in value):
        rule = f"Member must satisfy constraint: [{', '.join(_rules(shape.member))}]"
        yield _violation(f"'{_shown(value)}'", path, rule)


def _violation(shown: str, path: Path, rule: str) -> Violation:
    # AWS counts items from 1 and calls each a member.
    place = ".".join(_camel(part) if isinstance(part, str) else f"{part + 1}.member" for part in path)
    return Violation(path_text(path), f"Value {shown} at '{place}' failed to satisfy constraint: {rule}")


def _broken(value: Any, shape: Shape, capacity_bounds: bool) -> Iterator[str]:
    """The rules of a scalar or of a list as a whole that the value breaks."""
    for check, rule in _checks(shape, capacity_bounds):
        if not check(value):
            yield rule


def _rules(shape: Shape) -> list[str]:
    return [rule for _, rule in _checks(shape, True)]


@cache
def _checks(shape: Shape, capacity_bounds: bool) -> tuple[tuple[Callable[[Any], bool], str], ...]:
    """(test, rule in AWS's words) pairs, in the order in which AWS names them."""
    facts, measured = shape.metadata, shape.type_name in ("string", "list")
    noun, size = ("length", len) if measured else ("value", _itself)
    checks: list[tuple[Callable[[Any], bool], str]] = []
    high, low = facts.get("max"), facts.get("min")
    if high is not None and (capacity_bounds or shape.type_name == "string"):
        checks.append((lambda value: size(value) <= high, f"Member must have {noun} less than or equal to {high}"))
    if low is not None:
        checks.append((lambda value: size(value) >= low, f"Member must have {noun} greater than or equal to {low}"))
    if allowed := facts.get("enum"):
        checks.append((frozenset(allowed).__contains__, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    if pattern := facts.get("pattern"):
        longest = high if high is not None else _PATTERN_CHARACTERS
        fits = _compiled(pattern)
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        checks.append((lambda value: len(value) > longest or fits(value), rule))
    return tuple(checks)


def _itself(value: Any) -> Any:
    return value


# Letters, separators, numbers and the underscore: the classes of Unicode in the patterns here (of tags), which `re` has
# under other names: \w, and the separators one by one.
_JAVA_CLASSES = r"\p{L}\p{Z}\p{N}_"
_PYTHON_CLASSES = "\\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


@cache
def _compiled(pattern: str) -> Callable[[str], bool]:
    r"""Does a text match a Java pattern as a whole? \d, \w and \s are ASCII there, \p{..} is Unicode."""
    translated = pattern.replace(_JAVA_CLASSES, _PYTHON_CLASSES)
    compiled = re.compile(translated, 0 if translated != pattern else re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _shown(value: Any) -> str:
    """As Java prints it, cut to a length that a log line bears."""
    if isinstance(value, list):
        text = f"[{', '.join(_shown(item) for item in value[:20])}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(f'{_camel(name)}={_shown(item)}' for name, item in value.items())}}}"
    elif isinstance(value, int) and abs(value) >= 10**_DIGITS:
        text = f"a number of over {_DIGITS} digits"
    else:
        text = str(value)
    return clipped(text)


_DIGITS = 40
