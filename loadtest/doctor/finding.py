"""One answer of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loadtest.errors import masked

__all__ = ["Finding", "State"]

State = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor looked at.

    topic: what was looked at. found: what is there, without secrets. advice: what to do; "": nothing.

    state: good; note: a run works, but something is lost or not there; bad: a run does not work.
    """

    topic: str
    state: State
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", masked(self.found))
