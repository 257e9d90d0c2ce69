"""Checks any JSON value against the request's schema and reports every deviation; never raises for a bad value.

Pure: no clock, no I/O. What members mean together is checked in `core.request.rules`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from loadtest.core.request.findings import Findings, Path, nearest, shown
from loadtest.core.request.schema import INT_MAX, INT_MIN, TAG_PATTERN, Array, Integer, Node, Structure, Text

__all__ = ["MAX_ITEMS", "validate"]

MAX_ITEMS = 1000  # of any list; our own limit, where the API has none


def validate(value: object, node: Node, path: Path, findings: Findings) -> Any:
    """A plain copy of `value` with everything of a wrong type left out (None in a list); deviations go to `findings`.

    The result's types can be relied on, its bounds cannot.
    """
    if isinstance(node, Structure):
        return _structure(value, node, path, findings)
    if isinstance(node, Array):
        return _array(value, node, path, findings)
    if isinstance(node, Integer):
        return _integer(value, node, path, findings)
    return _text(value, node, path, findings)


def _structure(value: object, node: Structure, path: Path, findings: Findings) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        findings.error(path, shown(value), "must be an object", _advice_on_type(value, node))
        return None
    copy = {}
    for name, member in value.items():
        if name in node.members:
            checked = validate(member, node.members[name], (*path, name), findings)
            if checked is not None:
                copy[name] = checked
        else:
            where = (*path, name if isinstance(name, str) else shown(name))
            findings.error(where, shown(member), "is not a valid member", nearest(name, node.members))
    for name in node.required:
        if name not in value:
            findings.error((*path, name), "", "is required")
    return copy


def _array(value: object, node: Array, path: Path, findings: Findings) -> list[Any] | None:
    if not isinstance(value, (list, tuple)):
        findings.error(path, shown(value), "must be a list", _advice_on_type(value, node))
        return None
    if node.min is not None and len(value) < node.min:
        findings.error(path, shown(value), f"must have at least {node.min} items" if node.min > 1 else "is empty")
    if len(value) > MAX_ITEMS:
        findings.error(path, shown(value), f"must have at most {min(MAX_ITEMS, node.max or MAX_ITEMS)} items")
        return None
    if node.max is not None and len(value) > node.max:
        note = findings.bound if node.capacity else findings.error
        note(path, shown(value), f"must have at most {node.max} items")
    return [validate(item, node.item, (*path, i), findings) for i, item in enumerate(value)]


def _integer(value: object, node: Integer, path: Path, findings: Findings) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        findings.error(path, shown(value), "must be an integer", _advice_on_type(value, node))
        return None
    if not INT_MIN <= value <= INT_MAX:
        findings.error(path, shown(value), "must be an integer of 32 bits", f"at most {INT_MAX}")
        return None
    if node.min is not None and value < node.min:
        findings.error(path, shown(value), f"must be at least {node.min}", _range(node))
    elif node.max is not None and value > node.max:
        note = findings.bound if node.capacity else findings.error
        note(path, shown(value), f"must be at most {node.max}", _range(node))
    elif node.low is not None and value < node.low:
        findings.bound(path, shown(value), f"must be at least {node.low}", _range(node))
    elif node.high is not None and value > node.high:
        findings.bound(path, shown(value), f"must be at most {node.high}", _range(node))
    return value


def _text(value: object, node: Text, path: Path, findings: Findings) -> str | None:
    if not isinstance(value, str):
        findings.error(path, shown(value), "must be a string", _advice_on_type(value, node))
        return None
    if not _is_unicode(value):
        findings.error(path, shown(value), "is not valid Unicode text", "it holds half of a surrogate pair")
    elif node.enum:
        if value not in node.enum:
            findings.error(path, shown(value), "is not a valid value", nearest(value, node.enum))
    elif node.min is not None and len(value) < node.min:
        findings.error(path, shown(value), f"must have at least {node.min} characters")
    elif node.max is not None and len(value) > node.max:
        findings.error(path, shown(value), f"must have at most {node.max} characters, has {len(value)}")
    elif node.pattern is not None and not _matches(node.pattern, value):
        findings.error(path, shown(value), f"must match {node.pattern}")
    return value


def _range(node: Integer) -> str:
    low = node.min if node.low is None else node.low
    high = node.max if node.high is None else node.high
    return "" if low is None or high is None else f"{low}..{high}"


def _advice_on_type(value: object, node: Node) -> str:
    """What would be right, where the value shows what was meant."""
    if isinstance(node, Integer):
        if isinstance(value, float) and value.is_integer() and INT_MIN <= value <= INT_MAX:
            return f"write {int(value)}"
        if isinstance(value, str) and re.fullmatch("-?[0-9]{1,9}", value):
            return f"write {int(value)} without quotes"
    if isinstance(node, Text) and isinstance(value, (int, float)):
        return "put it in quotes"
    if isinstance(node, Array) and value is not None:
        return "put it in brackets: [...]"
    return "leave the member out" if value is None else ""


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _matches(pattern: str, value: str) -> bool:
    if pattern == TAG_PATTERN:
        # Python's `re` has no \p{...}: letters, separators, numbers by Unicode category.
        return all(character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN" for character in value)
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    # The service's patterns are Java's: \d, \w and \s mean ASCII.
    return re.compile(pattern, re.ASCII)
