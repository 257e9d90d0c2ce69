"""A JSON or YAML file as plain values, read without trust: bounded in size, depth and values, no member twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from loadtest.core.request.findings import Path as ValuePath
from loadtest.core.request.findings import path_text, shown
from loadtest.errors import Problem, SpecError, words
from loadtest.files import read_text

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "read_document"]

EMPTY = "the file is empty; `loadtest init` writes a job"
MAX_BYTES = 512 * 1024
MAX_DEPTH = 64
MAX_VALUES = 100_000  # after YAML's aliases are followed: a few lines of them can stand for billions


def read_document(path: Path) -> tuple[Any, str, list[Problem]]:
    """(the value, the text, members that are given twice and values of YAML's own types).

    `.json` is JSON, `.yaml` and `.yml` are YAML; of another name, what starts with a brace is JSON.
    Raises SpecError if there is no value to speak of.
    """
    suffix = path.suffix.lower()
    problems: list[Problem] = []
    try:
        text = _read_text(path)
        is_json = suffix == ".json" or (suffix not in (".yaml", ".yml") and text.lstrip()[:1] == "{")
        value = _load_json(text) if is_json else _load_yaml(text, problems)
        return _Plain(problems).copy(value), text, problems
    except _Unreadable as problem:
        raise SpecError([Problem("", shown(str(path)), str(problem))]) from problem.__cause__
    except RecursionError:
        raise SpecError([Problem("", shown(str(path)), f"is nested deeper than {MAX_DEPTH} levels")]) from None


class _Unreadable(Exception):
    """There is no value to speak of; the message is the rule that the file breaks."""


def _read_text(path: Path) -> str:
    try:
        text = read_text(path, MAX_BYTES)
    except (OSError, ValueError) as problem:
        raise _Unreadable(f"the file cannot be read: {words(problem)}") from None
    if all(line.strip() in ("", "---", "...") or line.lstrip()[0] == "#" for line in text.splitlines()):
        raise _Unreadable(EMPTY)
    return text


class _Object(dict[str, Any]):
    """A JSON object that remembers the names it was given more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = [name for name, count in counts.items() if count > 1]


def _load_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object)
    except json.JSONDecodeError as problem:
        raise _Unreadable(f"is not JSON: {problem.msg} at line {problem.lineno}, column {problem.colno}") from None
    except ValueError as problem:  # an integer of more digits than Python converts
        raise _Unreadable(f"is not JSON that can be read: {problem}") from None


class _Loader(yaml.SafeLoader):
    """SafeLoader that reports a name given twice; YAML forbids it, PyYAML takes the last."""

    problems: list[Problem]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    self.problems.append(Problem(path_text((key.value,)), "", f"is given twice, again at line {line}"))
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _load_yaml(text: str, problems: list[Problem]) -> Any:
    try:
        loader = _Loader(text)
        loader.problems = problems
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except RecursionError:
        raise
    except yaml.MarkedYAMLError as problem:
        raise _Unreadable(f"is not YAML: {words(problem)}") from None
    except yaml.reader.ReaderError as problem:
        raise _Unreadable(f"is not YAML: character {problem.character:#x} at position {problem.position}") from None
    except Exception as problem:  # PyYAML lets ValueError, KeyError, ... through for a bad !!int or date
        raise _Unreadable(f"is not YAML: {shown(str(problem))} ({type(problem).__name__})") from problem


class _Plain:
    """Copies a value of JSON's types; what is of another type, or given twice, is noted."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._left = MAX_VALUES

    def copy(self, value: Any, path: ValuePath = ()) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _Unreadable(f"holds more than {MAX_VALUES} values")
        if len(path) > MAX_DEPTH:
            raise _Unreadable(f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return self._object(value, path)
        if isinstance(value, list):
            return [self.copy(item, (*path, i)) for i, item in enumerate(value)]
        if value is not None and not isinstance(value, (str, int, float)):
            self._problems.append(Problem(path_text(path), shown(value), "is not a value of JSON", "put it in quotes"))
            return str(value)
        return value

    def _object(self, value: dict[Any, Any], path: ValuePath) -> dict[str, Any]:
        for name in getattr(value, "repeated", ()):
            self._problems.append(Problem(path_text((*path, name)), "", "is given twice"))
        copy = {}
        for name, member in value.items():
            if isinstance(name, str):
                copy[name] = self.copy(member, (*path, name))
            else:
                self._problems.append(
                    Problem(path_text((*path, shown(name))), "", "the name of a member must be a string")
                )
        return copy
