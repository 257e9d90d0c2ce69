"""What the value of a setting may be: one kind of bound for options, files, targets, mocks and parameters alike. Pure.

The request of a job has bounds of its own (`core.request.schema`): they are AWS's, and there are two of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from loadtest.core.request.findings import nearest

__all__ = ["FLAG", "Bound"]

Kind = Literal["number", "whole", "text", "flag"]

_NOUNS = {"number": "a number", "whole": "a whole number", "text": "a text", "flag": "true or false"}
_TYPES: dict[Kind, tuple[type, ...]] = {"number": (int, float), "whole": (int,), "text": (str,), "flag": (bool,)}


@dataclass(frozen=True, slots=True)
class Bound:
    """A type and a range.

    low, high: of a number, or of a text's length in characters; None: none. above: `low` itself is out of range.
    choices: the only valid texts. allowed: what else must hold of a text. optional: None is valid.
    noun: what the value must be, in words that say it all; "": words that follow from the rest. advice: for a range.
    """

    kind: Kind = "text"
    low: float | None = None
    high: float | None = None
    above: bool = False
    choices: tuple[str, ...] = ()
    allowed: Callable[[str], bool] | None = None
    optional: bool = False
    noun: str = ""
    advice: str = ""

    def fault(self, value: object) -> tuple[str, str] | None:
        """(rule, advice) if `value` is not valid; None: it is."""
        if value is None and self.optional:
            return None
        if self.choices:
            return None if value in self.choices else ("is not a valid value", nearest(value, self.choices))
        # bool is an int to Python.
        if not isinstance(value, _TYPES[self.kind]) or (isinstance(value, bool) and self.kind != "flag"):
            return f"must be {self.noun or _NOUNS[self.kind]}", ""
        if isinstance(value, float) and (math.isnan(value) or (math.isinf(value) and self.high is None)):
            return f"must be {self.noun or 'a finite number'}", ""
        size = len(value) if isinstance(value, str) else value
        assert isinstance(size, (int, float))
        if not self._in_range(size):
            return f"must be {self.noun}" if self.noun else self._range(), self.advice
        if isinstance(value, str) and self.allowed is not None and not self.allowed(value):
            return f"must be {self.noun or _NOUNS[self.kind]}", self.advice
        return None

    def _in_range(self, size: float) -> bool:
        if self.low is not None and (size <= self.low if self.above else size < self.low):
            return False
        return self.high is None or size <= self.high

    def _range(self) -> str:
        verb, unit = ("must have", " characters") if self.kind == "text" else ("must be", "")
        if self.low is not None and self.high is not None and not self.above:
            return f"{verb} {'' if unit else 'in '}{_number(self.low)}..{_number(self.high)}{unit}"
        if self.low is not None:
            return f"{verb} {'above' if self.above else 'at least'} {_number(self.low)}{unit}"
        assert self.high is not None
        return f"{verb} at most {_number(self.high)}{unit}"


FLAG = Bound("flag")


def _number(value: float) -> str:
    return str(value).removesuffix(".0")
