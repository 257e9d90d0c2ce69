"""A YAML (or JSON) file that somebody wrote by hand and that must be a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from loadtest.errors import Problem, SpecError, words
from loadtest.files import read_text

__all__ = ["text_of", "yaml_mapping"]


def text_of(path: Path) -> str:
    """The file's text. Raises SpecError if it cannot be read."""
    try:
        return read_text(path)
    except (OSError, ValueError) as problem:
        raise SpecError([Problem(str(path), "", f"cannot be read: {words(problem)}")]) from None


def yaml_mapping(path: Path, text: str, rule: str) -> dict[Any, Any]:
    """What the text of the file says. rule: what a value of another kind breaks. Raises SpecError."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:  # ValueError: a number or date that is none
        raise SpecError([Problem(str(path), "", f"is neither JSON nor YAML: {words(problem)}")]) from None
    if not isinstance(value, dict):
        raise SpecError([Problem(str(path), "", rule if value is not None else f"holds nothing: {rule}")])
    return value
