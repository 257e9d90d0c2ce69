"""What was made in an account and is not known to be gone: JSON lines, on the disk before each create.

    {"event": "begin", "account": "123456789012" (null: nobody said), "at": ...}
    {"event": "create", "kind": "endpoint", "name": ..., "job": ..., "region": ..., "endpoint_url": ..., "at": ...}
    {"event": "gone", "kind": "endpoint", "name": ..., "at": ...}

A program that is killed leaves its journal, and `loadtest cleanup` removes what is in it. Who writes a journal holds
a lock on it, so that nobody cleans up after a run that goes on. A journal of which all is gone is deleted.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.errors import Problem, SpecError, words
from loadtest.files import read_text
from loadtest.folders import is_locked, sync_folder

try:
    import fcntl
except ImportError:  # not on every platform
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal", "Made", "OpenJournal", "journal_dir", "open_journals", "read_journal"]

KINDS = ("endpoint", "endpoint-config", "model")  # in the order in which they are deleted
_MEMBERS: Mapping[str, set[str]] = {
    "begin": {"account"},
    "create": {"kind", "name", "job", "region", "endpoint_url"},
    "gone": {"kind", "name"},
}
_BEGINNING = '{"event": "begin"'


@dataclass(frozen=True, slots=True)
class Made:
    """One thing in an account. kind: of KINDS. endpoint_url: of the API; None: AWS's own."""

    kind: str
    name: str
    job: str = ""
    region: str = ""
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """A journal whose resources are not all gone. left: what is not known to be gone, endpoints first. running:
    somebody still writes it. account: in which they were made; None: not known.
    """

    path: Path
    left: tuple[Made, ...]
    running: bool
    account: str | None = None


def journal_dir() -> Path:
    """XDG_STATE_HOME/loadtest/aws, or one in the user's state directory; it need not be there yet."""
    given = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(given):
        return Path(given) / "loadtest" / "aws"
    local = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else ""
    return (Path(local) if local else Path.home() / ".local" / "state") / "loadtest" / "aws"


class Journal:
    """A new journal. Thread-safe. account: its number; None: not known.

    Raises SpecError if it cannot be written: then nothing is made either.
    """

    def __init__(self, path: Path, account: str | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._left: set[tuple[str, str]] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            if fcntl is not None:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._append({"event": "begin", "account": account})
            sync_folder(path.parent)
        except OSError as problem:
            raise SpecError([Problem("--journal", str(path), f"cannot be written: {problem.strerror}")]) from problem

    def creating(self, thing: Made) -> None:
        """It is about to be made; returns when that is on the disk. Raises SpecError if it cannot be: make nothing."""
        with self._lock:
            try:
                self._write("create", thing)
            except OSError as problem:
                raise SpecError(
                    [Problem("--journal", str(self.path), f"{problem.strerror}, nothing is made")]
                ) from problem
            self._left.add((thing.kind, thing.name))

    def gone(self, thing: Made) -> None:
        """It is not there, or never was. A line that cannot be written is no harm: what is gone is removed again."""
        with self._lock:
            self._left.discard((thing.kind, thing.name))
            with suppress(OSError):
                self._write("gone", thing)

    def close(self) -> bool:
        """Delete it if all is gone. True: it was."""
        with self._lock:
            if not self._left:
                with suppress(OSError):
                    self.path.unlink()
            os.close(self._handle)
            return not self._left

    def _write(self, event: str, thing: Made) -> None:
        told: dict[str, Any] = {"event": event, "kind": thing.kind, "name": thing.name}
        if event == "create":
            told |= {"job": thing.job, "region": thing.region, "endpoint_url": thing.endpoint_url}
        self._append(told)

    def _append(self, told: dict[str, Any]) -> None:
        os.write(self._handle, (json.dumps({**told, "at": round(time.time(), 3)}) + "\n").encode())
        os.fsync(self._handle)


def read_journal(path: Path) -> OpenJournal:
    """What is left in a journal. A last line that was cut off says nothing.

    Raises SpecError if it is no journal, or a damaged one: a file that nobody wrote as one is not to be deleted as one.
    """
    left: dict[tuple[str, str], Made] = {}
    account: str | None = None
    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError) as problem:
        raise SpecError([Problem("--journal", str(path), f"cannot be read: {words(problem)}")]) from problem
    cut = lines.pop()  # "" of a whole file: each line has its end
    for number, line in enumerate(lines, 1):
        told = _told(line)
        if told is None:
            rule = "is no journal of `loadtest recommend --deploy`" if number == 1 else f"line {number} is damaged"
            raise SpecError([Problem("--journal", str(path), rule, "give the file that the run named")])
        if told["event"] == "begin":
            account = told["account"]
            continue
        key = str(told["kind"]), str(told["name"])
        left.pop(key, None)
        if told["event"] == "create":
            left[key] = Made(*key, str(told["job"]), str(told["region"]), told["endpoint_url"])
    if not lines and not _begins_one(cut):
        raise SpecError([Problem("--journal", str(path), "is no journal of `loadtest recommend --deploy`")])
    ordered = sorted(left.values(), key=lambda thing: KINDS.index(thing.kind))
    return OpenJournal(path, tuple(ordered), is_locked(path), account)


def _told(line: str) -> dict[str, Any] | None:
    """What a line says; None: it is none of a journal's."""
    try:
        told = json.loads(line)
        members = _MEMBERS[told["event"]]
        known = members <= told.keys() and told.get("kind", KINDS[0]) in KINDS
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return dict(told) if known else None


def _begins_one(text: str) -> bool:
    """Whether a journal's first line may begin so, however short it was cut."""
    return _BEGINNING.startswith(text[: len(_BEGINNING)])


def open_journals(folder: Path) -> Iterator[OpenJournal]:
    """Those of a folder in which something is left, or that somebody still writes.

    Of another folder than `journal_dir`, what is no journal is somebody else's and not looked at. Raises SpecError.
    """
    for path in sorted(folder.glob("*.jsonl")):
        if folder != journal_dir() and not _is_one(path):
            continue
        found = read_journal(path)
        if found.left or found.running:
            yield found


def _is_one(path: Path) -> bool:
    """By its first line."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _told(file.readline(10_000)) is not None
    except OSError:
        return True  # reading it says why not
