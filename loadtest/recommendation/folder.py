"""The folder of a job: one run folder per test, written as the test goes, and what they recommend together.

    job.json  describe.json  recommendations.json  steps.json  job.log  report.html  tests/01-ml.c5.xlarge/ ...

A test's folder is a run folder like any other. What cannot be written never stops the job: it is named in `missing`.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.engine.parent.environment import environment
from loadtest.errors import words
from loadtest.report.folder import RunFolder

__all__ = ["JobFolder"]

TESTS = "tests"


class JobFolder:
    """An Onlooker (`jobs.watching`) that writes. path: new or empty; made here. Raises OSError if it cannot be begun.

    result: of a test of the job by its place; None: it has none. missing: file -> why it could not be written.
    """

    def __init__(self, path: Path, request: Mapping[str, Any]) -> None:
        self.path = path
        self.missing: dict[str, str] = {}
        self.result: Callable[[str, int], RunResult | None] = lambda name, index: None
        self._request = request
        self._open: dict[int, RunFolder] = {}
        self._lock = threading.Lock()
        path.mkdir(parents=True, exist_ok=True)
        self._write("job.json", request)
        self._log = open(path / "job.log", "w", encoding="utf-8")  # noqa: SIM115

    def begins(self, job_name: str, index: int, label: str, plan: Plan) -> Callable[[Window], None]:
        """A live test's windows go to its folder as they come: a killed job keeps them."""
        try:
            folder = self._folder(index, label, plan)
        except OSError as problem:
            self.missing[f"{TESTS}/{_name(index, label)}"] = words(problem)
            return lambda window: None
        with self._lock:
            self._open[index] = folder
        return folder.window

    def kept(self, job_name: str, index: int, name: str, document: Any) -> None:
        """A file of a test that runs: a killed job keeps it."""
        with self._lock:
            folder = self._open.get(index)
        if folder is not None:
            folder.keep(name, document)

    def ended(self, job_name: str, index: int) -> None:
        """Complete the test's folder. One that failed before its traffic has none."""
        with self._lock:
            folder = self._open.pop(index, None)
        result = self.result(job_name, index)
        if result is None:
            if folder is not None:
                folder.close()  # what came is there, as NAME.partial
            return
        label = _name(index, result.label)
        try:
            if folder is None:
                folder = self._folder(index, result.label, result.plan, result)
                folder.start(result.started_at)
                for window in result.windows:
                    folder.window(window)
            folder.changes(result.changes)
            folder.finish(result)
            self.missing |= {f"{TESTS}/{label}/{name}": why for name, why in folder.missing.items()}
        except OSError as problem:
            self.missing[f"{TESTS}/{label}"] = words(problem)

    def say(self, text: str) -> None:
        """One line of job.log."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._log.write(text + "\n")
            self._log.flush()

    def discard(self) -> None:
        """Take away what was begun: the job cannot run. A file that somebody else put there stays."""
        with contextlib.suppress(OSError):
            self._log.close()
            for name in ("job.json", "job.log"):
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()

    def finish(
        self,
        described: Mapping[str, Any],
        steps: Sequence[Mapping[str, Any]],
        certainties: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write what the whole job came to. certainties: how sure each recommendation's figures are."""
        self._write("describe.json", described)
        self._write("recommendations.json", list(certainties))
        self._write("steps.json", list(steps))
        with contextlib.suppress(OSError):
            self._log.close()

    def _folder(self, index: int, label: str, plan: Plan, result: RunResult | None = None) -> RunFolder:
        return RunFolder(
            self.path / TESTS / _name(index, label),
            plan,
            created_at=time.time(),
            exact=True,
            job=self._request,
            label=label,
            info={} if result is None else result.info,
            environment=environment() if result is None else result.environment,
        )

    def _write(self, name: str, value: Any) -> None:
        temporary = self.path / f".{name}"
        try:
            temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            temporary.replace(self.path / name)
        except OSError as problem:
            self.missing[name] = words(problem)


def _name(index: int, label: str) -> str:
    """`01-ml-c5-xlarge-OMP_NUM_THREADS-2`."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", label).strip("-.")[:64]
    return f"{index + 1:02d}-{slug}" if slug else f"{index + 1:02d}"
