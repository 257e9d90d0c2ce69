"""The run folder: every number of a run, in a dated folder that is there whole or not at all.

While the run goes on, windows and user changes are appended to `NAME.partial`, so nothing is kept in memory and a
crash loses at most the last line; `finish` adds the rest, forces it all to disk and renames the folder to `NAME`.
No existing folder is ever written to: a name that is taken gets a number (`NAME-2`).

A disk that is full, a size limit or a folder that somebody removed does not end a run: a file that could not be
appended to is written anew from the result at the end, when there may be room again, and what is missing even then is
named in `missing`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.result.periods import KEPT_AS
from loadtest.core.result.result import SCHEMA_VERSION, RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.errors import words
from loadtest.report.describe import describe
from loadtest.report.end_lines import end_lines
from loadtest.report.hdr_log import log_header, log_line
from loadtest.report.junit import junit_xml
from loadtest.report.percentiles import distribution
from loadtest.report.place import PARTIAL, free, publish, reserve, run_name
from loadtest.report.requests_csv import REQUESTS, RequestRows, rows_are_lost
from loadtest.report.summary import summary_of
from loadtest.report.tables import SCHEDULE_HEAD, levels_csv, schedule_rows, window_line

try:
    import fcntl
except ImportError:  # not on every platform
    fcntl = None  # type: ignore[assignment]

__all__ = ["PARTIAL", "RunFolder", "run_name"]

STREAMS = ("windows.jsonl", "latency.hlog", "schedule.csv", "run.log")


class RunFolder:
    """One run's folder while it is being written. Used by one thread at a time; as a context manager it closes itself.

    output_dir: where the dated folder goes; made if need be. exact: it is the run's folder itself, new or empty.
    created_at: epoch seconds; names the dated folder, with the job's name.
    job: the request as received. plan, label, info, environment: as in `RunResult`, written at once to `config.json`.
    path: where the files are now: `NAME.partial`, and after `finish` the final folder.
    missing: file -> why it could not be written, after `finish`; {}: all are there.
    Raises FileExistsError if an exact folder has something in it, OSError if the folder cannot be begun. Nothing is
    raised for the disk's sake once it is.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        plan: Plan,
        *,
        created_at: float,
        exact: bool = False,
        job: Mapping[str, Any] | None = None,
        label: str = "",
        info: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        self._created_at = created_at
        self._levels = plan_levels(plan)
        self._job = None if job is None else plain(job)
        self._config = {
            "schema_version": SCHEMA_VERSION,
            "label": label,
            "info": plain(info or {}),
            "created_at": created_at,
            "started_at": None,
            "seed": plan.options.seed,
            "effective": plan.shown(),
            "plan_digest": plan.digest(),
            "environment": plain(environment or {}),
        }
        whole = Path(os.path.abspath(output_dir))
        self._exact = exact
        name = whole.name if exact else run_name(created_at, str((job or {}).get("JobName", "")), label)
        self._parent = whole.parent if exact else whole
        if exact and not free(whole):
            raise FileExistsError(errno.EEXIST, "it exists and is not empty", str(whole))
        self._parent.mkdir(parents=True, exist_ok=True)
        self.path, self._name = reserve(self._parent, name, exact=exact)
        self.missing: dict[str, str] = {}
        self._begun = False
        self._requests = RequestRows() if plan.options.log_requests else None
        self._log: list[str] = []
        self._streams: dict[str, IO[str]] = {}
        self._stale: set[str] = set()  # streams that could not be appended to: `finish` writes them anew
        try:
            self._begin_files()
        except BaseException:
            self.close()
            with contextlib.suppress(OSError):
                shutil.rmtree(self.path)
            raise

    def start(self, started_at: float | None) -> None:
        """The run begins. started_at: epoch seconds; None: virtual time, or not known before `finish`.

        Called once, before the first window; the first window does it if nobody did.
        """
        self._begun = True
        self._config["started_at"] = started_at
        self._try("config.json", lambda: self._write_json("config.json", self._config))
        self._append("latency.hlog", log_header(started_at))

    def window(self, window: Window) -> None:
        """Append one window; it is with the operating system when this returns."""
        if not self._begun:
            self.start(None)
        self._append("windows.jsonl", window_line(window))
        self._append("latency.hlog", log_line(window, self._levels))
        if self._requests is not None:
            self._append(REQUESTS, self._requests.rows(window))

    def changes(self, changes: Iterable[UserChange]) -> None:
        """Append users' starts and stops."""
        self._append("schedule.csv", schedule_rows(changes))

    def log(self, text: str, at: float | None = None) -> None:
        """Append to `run.log`. at: epoch seconds of the event; None: not told."""
        stamp = "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds") + " "
        lines = "".join(f"{stamp}{line}\n" for line in text.splitlines())
        self._log.append(lines)
        self._append("run.log", lines)

    def keep(self, name: str, document: Any) -> None:
        """Write a file of its own (JSON), whole, from any thread; what it is at the end the result has."""
        with contextlib.suppress(OSError):
            self._write_json(name, document)

    def finish(self, result: RunResult) -> Path:
        """Write what only the end knows, force everything to disk and give the folder its final name, returned.

        What could not be written is in `missing`; the folder then keeps the name `NAME.partial` if that is all there
        is to be had.
        """
        if not self._begun:
            self.start(result.started_at)
        for text, at in end_lines(result, self._requests.problems() if self._requests else ()):
            self.log(text, at)
        late_start = self._config["started_at"] != result.started_at
        known = {"environment": result.environment, "info": result.info or self._config["info"]}
        self._config |= {"started_at": result.started_at, **plain(known)}
        self._find_stale(late_start)
        self.close()
        self.missing = {}
        self._try("the folder", lambda: self.path.mkdir(parents=True, exist_ok=True))
        for name, write in self._files(result).items():
            self._try(name, write)
        try:
            self.path = publish(self.path, self._parent, self._name, exact=self._exact)
        except OSError as problem:
            self.missing[self._name] = words(problem)
        return self.path

    def discard(self) -> None:
        """Remove the folder of a run that never began."""
        self.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)

    def close(self) -> None:
        """Close the files and leave the folder as it is: unfinished, it keeps the name `NAME.partial`."""
        for name, stream in self._streams.items():
            try:
                stream.close()
            except OSError:
                self._stale.add(name)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin_files(self) -> None:
        self._write_json("job.json", self._job)
        self._write_json("config.json", self._config)
        for name in (*STREAMS, *([REQUESTS] if self._requests else ())):
            self._streams[name] = open(self.path / name, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        if fcntl is not None:
            # Whoever would complete an unfinished folder sees by it that somebody is still writing.
            fcntl.flock(self._streams["run.log"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        stream = self._streams["schedule.csv"]
        stream.write(SCHEDULE_HEAD)
        stream.flush()
        if self._requests is not None:
            self._append(REQUESTS, self._requests.head)

    def _files(self, result: RunResult) -> dict[str, Callable[[], None]]:
        """What the end writes, by file: what only it knows, and the streams that are not whole."""
        streams: dict[str, Callable[[], None]] = {
            "windows.jsonl": lambda: self._write("windows.jsonl", "".join(map(window_line, result.windows))),
            "latency.hlog": lambda: self._write("latency.hlog", self._hdr_log(result)),
            "schedule.csv": lambda: self._write("schedule.csv", SCHEDULE_HEAD + schedule_rows(result.changes)),
            "run.log": lambda: self._write("run.log", "".join(self._log)),
        }
        kept, told = {"job.json": self._job, "config.json": self._config}, result.cloudwatch
        return {
            **{name: write for name, write in streams.items() if name in self._stale},
            **({REQUESTS: rows_are_lost} if REQUESTS in self._stale else {}),
            **{name: partial(self._write_json, name, value) for name, value in kept.items()},
            "summary.json": lambda: self._write_json("summary.json", summary_of(result)),
            "describe.json": lambda: self._write_json("describe.json", describe([result], self._created_at)),
            "levels.csv": lambda: self._write("levels.csv", levels_csv(result.levels)),
            "junit.xml": lambda: self._write("junit.xml", junit_xml(result)),
            "latency.hgrm": lambda: self._write("latency.hgrm", distribution(result.latency_histogram())),
            **({} if told is None else {KEPT_AS: partial(self._write_json, KEPT_AS, told)}),
        }

    def _hdr_log(self, result: RunResult) -> str:
        lines = (log_line(window, self._levels) for window in result.windows)
        return log_header(result.started_at) + "".join(lines)

    def _find_stale(self, late_start: bool) -> None:
        """Streams that are not on the disk as they were written: full, removed or replaced. Forces the others there."""
        for name, stream in self._streams.items():
            try:
                os.fsync(stream.fileno())
                ours, there = os.fstat(stream.fileno()), os.stat(self.path / name)
                if (ours.st_ino, ours.st_dev) != (there.st_ino, there.st_dev):
                    self._stale.add(name)
            except (OSError, ValueError):
                self._stale.add(name)
        if late_start:
            self._stale.add("latency.hlog")  # it was begun without the time of the start

    def _try(self, name: str, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as problem:
            self.missing[name] = words(problem)

    def _append(self, name: str, text: str) -> None:
        if name in self._stale:
            return
        try:
            stream = self._streams[name]
            stream.write(text)
            stream.flush()
        except OSError:
            self._stale.add(name)

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all, also where it replaces its former self."""
        temporary = self.path / f".{name}"
        try:
            with open(temporary, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(self.path / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
