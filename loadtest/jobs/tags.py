"""Tags of jobs as the API has them, checked: at most fifty, each key once, keys not reserved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from loadtest.errors import Problem, SpecError
from loadtest.jobs.errors import invalid, refusal
from loadtest.jobs.rows import Tag

__all__ = ["MAX_TAGS", "checked_keys", "checked_tags", "tag_list", "tag_problems"]

MAX_TAGS = 50


def checked_tags(tags: Iterable[Mapping[str, Any]], present: Sequence[Tag] = ()) -> list[Tag]:
    """The tags as pairs. present: what the resource has already, counted with them.

    Raises ApiError ValidationException with every problem.
    """
    pairs, problems = _read(tags, present)
    if problems:
        raise refusal(SpecError(problems))
    return pairs


def tag_problems(tags: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Everything that is wrong with the tags of a new job."""
    return _read(tags, ())[1]


def _read(tags: Iterable[Mapping[str, Any]], present: Sequence[Tag]) -> tuple[list[Tag], list[Problem]]:
    problems: list[Problem] = []
    pairs: list[Tag] = []
    for i, tag in enumerate(tags):
        key, value = tag.get("Key"), tag.get("Value")
        if not _is_text(key) or not 1 <= len(key) <= 128:
            problems.append(Problem(f"Tags[{i}].Key", repr(key), "must have 1 to 128 characters"))
        elif key.lower().startswith("aws:"):
            problems.append(Problem(f"Tags[{i}].Key", repr(key), "must not begin with aws:"))
        elif any(key == known for known, _ in pairs):
            problems.append(Problem(f"Tags[{i}].Key", repr(key), "is given twice"))
        if not _is_text(value) or len(value) > 256:
            problems.append(Problem(f"Tags[{i}].Value", repr(value), "must have at most 256 characters"))
        pairs.append((str(key), str(value)))
    count = len({key for key, _ in [*present, *pairs]})
    if count > MAX_TAGS:
        problems.append(Problem("Tags", str(count), f"a job has at most {MAX_TAGS} tags"))
    return pairs, problems


def checked_keys(keys: object) -> list[str]:
    """TagKeys as a list of texts. Raises ApiError ValidationException."""
    if not isinstance(keys, (list, tuple)) or not all(_is_text(key) for key in keys):
        raise invalid("TagKeys must be a list of texts")
    return list(keys)


def tag_list(tags: Sequence[Tag]) -> list[dict[str, str]]:
    """Pairs as the API's list."""
    return [{"Key": key, "Value": value} for key, value in tags]


def _is_text(value: object) -> TypeGuard[str]:
    """A text that UTF-8 can write: JSON may carry halves of surrogate pairs."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
