"""Somebody who looks on while a job's tests run. What is told is values; nothing depends on anybody looking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan

__all__ = ["NoOnlooker", "Onlooker"]


class Onlooker(Protocol):
    """Told from the threads of the tests, of live ones only: one in virtual time is over at once."""

    def begins(self, job_name: str, index: int, label: str, plan: Plan) -> Callable[[Window], None]:
        """A test's load begins. Gives what takes its windows, in order."""
        ...

    def kept(self, job_name: str, index: int, name: str, document: Any) -> None:
        """A file (JSON) of a test whose load runs, as far as it is known by now."""
        ...

    def ended(self, job_name: str, index: int) -> None:
        """It is over, however; its result, if it has one, can be read."""
        ...


class NoOnlooker:
    """Nobody looks on."""

    def begins(self, job_name: str, index: int, label: str, plan: Plan) -> Callable[[Window], None]:
        return lambda window: None

    def kept(self, job_name: str, index: int, name: str, document: Any) -> None:
        return None

    def ended(self, job_name: str, index: int) -> None:
        return None
