"""What is still to be had of a run that is over, waited for at a terminal: a signal ends the waiting alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from loadtest.core.result.result import RunResult

__all__ = ["Finishing"]


class Finishing:
    """An end that `attended` waits for. told: a loadtest.aws.telemetry.Telemetry, whose run gave `result`."""

    def __init__(self, told: Any, result: RunResult, say: Callable[[str], None]) -> None:
        self._told, self._found = told, result
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(say,), name="loadtest-finishing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What has not come by now is absent."""
        self._told.hurry()

    kill = stop

    def result(self, timeout_s: float | None = None) -> RunResult:
        """TimeoutError if it has not ended by then."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError
        if self._problem is not None:
            raise self._problem
        return self._found

    def _work(self, say: Callable[[str], None]) -> None:
        try:
            self._found = self._told.completed(self._found, say)
        except BaseException as problem:
            self._problem = problem
