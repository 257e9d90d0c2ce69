"""The run folder: every number of a run, in a dated folder that is there whole or not at all.

While the run goes on, windows and user changes are appended to `NAME.partial`, so nothing is kept in memory and a
crash loses at most the last line; `finish` adds the rest, forces it all to disk and renames the folder to `NAME`.
No existing folder is ever written to: a name that is taken gets a number (`NAME-2`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from loadtest.core.decision import REASONS
from loadtest.core.levels import plan_levels
from loadtest.core.plain import plain
from loadtest.core.plan import Plan
from loadtest.core.result import SCHEMA_VERSION, RunResult
from loadtest.core.schedule import UserChange
from loadtest.core.window import Window
from loadtest.report.describe import describe
from loadtest.report.hdr_log import LEGEND, log_header, log_line
from loadtest.report.percentiles import distribution
from loadtest.report.summary import summary_of
from loadtest.report.tables import SCHEDULE_HEAD, levels_csv, schedule_rows

__all__ = ["PARTIAL", "RunFolder", "write_run"]

PARTIAL = ".partial"
STREAMS = ("windows.jsonl", "latency.hlog", "schedule.csv", "run.log")


class RunFolder:
    """One run's folder while it is being written. Used by one thread at a time; as a context manager it closes itself.

    output_dir: where the dated folder goes; made if need be. exact: it is the run's folder itself, new or empty.
    created_at: epoch seconds; names the dated folder, with the job's name.
    job: the request as received. plan, label, info, environment: as in `RunResult`, written at once to `config.json`.
    path: where the files are now: `NAME.partial`, and after `finish` the final folder.
    Raises FileExistsError if an exact folder has something in it, OSError if the folder or a file cannot be written.
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
        self._name = whole.name if exact else run_name(created_at, str((job or {}).get("JobName", "")), label)
        self._parent = whole.parent if exact else whole
        if exact and not _free(whole):
            raise FileExistsError(errno.EEXIST, "it exists and is not empty", str(whole))
        self._parent.mkdir(parents=True, exist_ok=True)
        self.path = self._reserve()
        self._begun = False
        self._streams: dict[str, IO[str]] = {}
        try:
            self._write_json("job.json", None if job is None else plain(job))
            self._write_json("config.json", self._config)
            for name in STREAMS:
                self._streams[name] = open(self.path / name, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
            self._append("schedule.csv", SCHEDULE_HEAD)
        except BaseException:
            self.close()
            raise

    def start(self, started_at: float | None) -> None:
        """The run begins. started_at: epoch seconds; None: virtual time, or not known before `finish`.

        Called once, before the first window; the first window does it if nobody did.
        """
        self._begun = True
        self._config["started_at"] = started_at
        self._write_json("config.json", self._config)
        self._append("latency.hlog", log_header(started_at))

    def window(self, window: Window) -> None:
        """Append one window; it is with the operating system when this returns."""
        if not self._begun:
            self.start(None)
        self._append("windows.jsonl", json.dumps(plain(window.to_dict()), separators=(",", ":")) + "\n")
        self._append("latency.hlog", log_line(window, self._levels))

    def changes(self, changes: Iterable[UserChange]) -> None:
        """Append users' starts and stops."""
        self._append("schedule.csv", schedule_rows(changes))

    def log(self, text: str, at: float | None = None) -> None:
        """Append to `run.log`. at: epoch seconds of the event; None: not told."""
        stamp = "" if at is None else datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds") + " "
        self._append("run.log", "".join(f"{stamp}{line}\n" for line in text.splitlines()))

    def finish(self, result: RunResult) -> Path:
        """Write what only the end knows, force everything to disk and give the folder its final name, returned."""
        if not self._begun:
            self.start(result.started_at)
        self._log_end(result)
        for stream in self._streams.values():
            os.fsync(stream.fileno())
        self.close()
        known_at = self._config["started_at"]
        # Where the requests went, too, is known by now.
        self._config |= {"started_at": result.started_at, "environment": plain(result.environment)}
        self._write_json("config.json", self._config)
        if known_at != result.started_at:
            self._date(result.started_at)
        self._write_json("summary.json", summary_of(result))
        self._write_json("describe.json", describe([result], self._created_at))
        self._write("levels.csv", levels_csv(result.levels))
        self._write("latency.hgrm", distribution(result.latency_histogram()))
        _sync_folder(self.path)
        self.path = self._publish()
        _sync_folder(self._parent)
        return self.path

    def discard(self) -> None:
        """Remove the folder of a run that never began."""
        self.close()
        shutil.rmtree(self.path)

    def close(self) -> None:
        """Close the files and leave the folder as it is: unfinished, it keeps the name `NAME.partial`."""
        for stream in self._streams.values():
            stream.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _date(self, started_at: float | None) -> None:
        """Give the log that was begun without it the time of the start."""
        intervals = (self.path / "latency.hlog").read_text(encoding="utf-8").split(LEGEND, 1)[1].lstrip("\n")
        self._write("latency.hlog", log_header(started_at) + intervals)

    def _reserve(self) -> Path:
        for path in _numbered(self._parent, self._name):
            # A dated name is reserved by its partial folder; beside an exact one may lie those of crashed runs.
            if self._exact or not path.exists():
                partial = path.with_name(path.name + PARTIAL)
                with contextlib.suppress(FileExistsError):
                    partial.mkdir()
                    self._name = self._name if self._exact else path.name
                    return partial
        raise AssertionError("names do not run out")

    def _publish(self) -> Path:
        # Another run may have taken the name since it was reserved; a rename onto a full folder is refused.
        for path in _numbered(self._parent, self._name):
            if path.exists() and not (self._exact and _free(path)):
                continue
            try:
                self.path.replace(path)
            except OSError as problem:
                if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
            else:
                return path
        raise AssertionError("names do not run out")

    def _log_end(self, result: RunResult) -> None:
        ended_at = None if result.started_at is None else result.started_at + result.totals.length_s
        self.log(f"ended {result.reason.value}: {REASONS[result.reason].sentence}", ended_at)
        self.log(f"evidence: {json.dumps(result.evidence)}", ended_at)
        for reason in result.trust.reasons:
            self.log(f"trust {reason.code}: {reason.text}; {reason.advice}", ended_at)
        for problem in result.problems:
            self.log(f"problem: {problem}", ended_at)
        for line in result.log_tail:
            self.log(f"generator: {line}")

    def _append(self, name: str, text: str) -> None:
        stream = self._streams[name]
        stream.write(text)
        stream.flush()

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all, also where it replaces its former self."""
        temporary = self.path / f".{name}"
        with open(temporary, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.path / name)


def write_run(output_dir: str | os.PathLike[str], result: RunResult, created_at: float) -> Path:
    """The folder of a run that is over (a simulated one, say), in one go; its path."""
    with RunFolder(
        output_dir,
        result.plan,
        created_at=created_at,
        job=result.job,
        label=result.label,
        info=result.info,
        environment=result.environment,
    ) as folder:
        folder.start(result.started_at)
        folder.changes(result.changes)
        for window in result.windows:
            folder.window(window)
        return folder.finish(result)


def run_name(created_at: float, job_name: str, label: str) -> str:
    """`20261122T191357Z-my-job`: UTC to the second, then the job's name (or the test's) as a file name may have it."""
    date = datetime.fromtimestamp(created_at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", job_name or label).strip("-")[:64]
    return f"{date}-{slug}" if slug else date


def _free(path: Path) -> bool:
    """Nothing is there, or an empty folder."""
    try:
        return not any(path.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return False


def _numbered(parent: Path, name: str) -> Iterator[Path]:
    yield parent / name
    yield from (parent / f"{name}-{n}" for n in count(2))


def _sync_folder(path: Path) -> None:
    """Force a folder's entries to disk, where the platform can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
