"""Parameters of a test of whole runs: a few for every run of the tests, their siblings with the slow ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

__all__ = ["siblings"]


def siblings(values: Iterable[Any], first: int = 1) -> list[Any]:
    """`values` for `parametrize`, of which all but the `first` are slow: they prove a mechanism again, by other means.

    A tuple is the values of several names, as in `parametrize`.
    """
    given = list(values)
    rest = (pytest.param(*each) if isinstance(each, tuple) else pytest.param(each) for each in given[first:])
    return given[:first] + [pytest.param(*each.values, marks=pytest.mark.slow) for each in rest]
