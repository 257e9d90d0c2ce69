"""Tags of jobs as the API has them, checked: at most fifty, each key once, keys not reserved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import Findings, shown
from loadtest.errors import Problem, SpecError
from loadtest.jobs.errors import invalid, refusal
from loadtest.jobs.rows import Tag

__all__ = ["MAX_TAGS", "checked_keys", "checked_tags", "tag_list", "tag_problems"]

MAX_TAGS = 50


def _is_writable(text: str) -> bool:
    """UTF-8 can write it: JSON may carry halves of surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


_KEY = Bound(low=1, high=128, allowed=_is_writable, noun="a text of 1 to 128 characters")
_VALUE = Bound(high=256, allowed=_is_writable, noun="a text of at most 256 characters")


def checked_tags(tags: Iterable[Mapping[str, Any]], present: Sequence[Tag] = ()) -> list[Tag]:
    """The tags as pairs. present: what the resource has already, counted with them.

    Raises ApiError ValidationException with every problem.
    """
    pairs, findings = _read(tags, present)
    if findings.problems:
        raise refusal(SpecError(findings.problems))
    return pairs


def tag_problems(tags: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Everything that is wrong with the tags of a new job."""
    return list(_read(tags, ())[1].problems)


def _read(tags: Iterable[Mapping[str, Any]], present: Sequence[Tag]) -> tuple[list[Tag], Findings]:
    findings = Findings()
    pairs: list[Tag] = []
    known: set[str] = set()
    for i, tag in enumerate(tags):
        key, value = tag.get("Key"), tag.get("Value")
        where = ("Tags", i, "Key")
        if findings.check(where, key, _KEY):
            if str(key).lower().startswith("aws:"):
                findings.error(where, shown(key), "must not begin with aws:")
            elif key in known:
                findings.error(where, shown(key), "is given twice")
        findings.check(("Tags", i, "Value"), value, _VALUE)
        pairs.append((str(key), str(value)))
        known.add(str(key))
    count = len({key for key, _ in present} | known)
    if count > MAX_TAGS:
        findings.error(("Tags",), str(count), f"a job has at most {MAX_TAGS} tags")
    return pairs, findings


def checked_keys(keys: object) -> list[str]:
    """TagKeys as a list of texts. Raises ApiError ValidationException."""
    if not isinstance(keys, (list, tuple)) or not all(_is_text(key) for key in keys):
        raise invalid("TagKeys must be a list of texts")
    return list(keys)


def tag_list(tags: Sequence[Tag]) -> list[dict[str, str]]:
    """Pairs as the API's list."""
    return [{"Key": key, "Value": value} for key, value in tags]


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _is_writable(value)
