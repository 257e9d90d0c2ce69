"""Where jobs are kept: SQLite in a directory, or in memory. Knows rows and statuses, not the API's shapes.

Thread-safe: one connection, one lock, short transactions. In a directory the journal is a write-ahead log: what a
method has returned for survives the death of the process (kill -9); a power failure may cost the last moments.
A directory belongs to one process at a time: a second one is refused, and the claim dies with its holder.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from loadtest.errors import EngineError, words
from loadtest.jobs.clock import SteadyClock
from loadtest.jobs.rows import JobQuery, JobRow, StepRow, Tag
from loadtest.jobs.schema import JOB_COLUMNS, SCHEMA, STEP_COLUMNS, job_values, move_of, order_of, step_values, where_of
from loadtest.jobs.status import ACTIVE, Status
from loadtest.jobs.unpack import job_of, step_of

__all__ = ["JobStore", "NameTaken", "QuotaReached", "StoreFailure"]

_LOG = logging.getLogger(__name__)


class StoreFailure(EngineError):
    """The state could not be read or written, as with a full disk; nothing was changed, and later it may work."""


class NameTaken(Exception):
    """There is a job of that name."""


class QuotaReached(Exception):
    """As many jobs as allowed are pending, in progress or stopping."""


class JobStore:
    """Jobs, their steps and their tags.

    directory: None: in memory, gone with the object. clock: epoch seconds that never go back; None: a SteadyClock.
    Raises EngineError if the directory cannot be used, another process uses it, or its jobs.db is none of this
    version. Rows that cannot be read are named in the log, once, and are as if they were not there, but for their
    names, which stay taken. Every method raises StoreFailure if the disk fails it.
    """

    def __init__(self, directory: Path | None = None, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or SteadyClock()
        self._lock = threading.RLock()
        self._claim: sqlite3.Connection | None = None
        if directory is None:
            self._db = _connect(":memory:")
        else:
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise EngineError(f"cannot use the state directory {directory}: {words(problem)}") from problem
            self._claim = _claim(directory)
            try:
                self._db = _opened(directory / "jobs.db")
            except BaseException:
                self._claim.close()
                raise
        self._db.executescript(SCHEMA)
        self._bad: frozenset[int] = frozenset(self._unreadable())

    def close(self) -> None:
        """Gives the directory back; no other method may be called afterwards."""
        with self._lock:
            self._db.close()
            if self._claim is not None:
                self._claim.close()

    def now_s(self) -> float:
        """The store's clock, to the millisecond: times that are kept and compared are all of this precision."""
        return round(self._clock(), 3)

    # Jobs

    def add(self, job: JobRow, tags: Sequence[Tag] = (), quota: int | None = None) -> JobRow:
        """Keep a new job, and return it with its `seq`. quota: how many may be active at once, None: any number.

        Raises NameTaken or QuotaReached; of several threads with one name exactly one is not refused.
        """
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM jobs WHERE name = ?", (job.name,)).fetchone():
                raise NameTaken(job.name)
            if quota is not None and self._active(db) >= quota:
                raise QuotaReached(str(quota))
            values = job_values(job)
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO jobs ({', '.join(JOB_COLUMNS)}) VALUES ({marks})", values)
            self._tag(db, job.name, tags)
        return self.get(job.name) or job

    def get(self, name: str) -> JobRow | None:
        """None: no such job."""
        found = self._query("SELECT * FROM jobs WHERE name = ?", (name,))
        return next((job_of(row) for row in found if row["seq"] not in self._bad), None)

    def jobs(self, query: JobQuery, after: Sequence[str | int] | None, limit: int) -> list[JobRow]:
        """At most `limit` jobs in the query's order. after: `key` of the row that the page before ended with."""
        where, values = where_of(query, after)
        sql = f"SELECT * FROM jobs {where} ORDER BY {order_of(query)} LIMIT ?"
        # So many more that a page is full although bad rows are left out.
        rows = self._query(sql, (*values, limit if limit < 0 else limit + len(self._bad)))
        found = [job_of(row) for row in rows if row["seq"] not in self._bad]
        return found if limit < 0 else found[:limit]

    def in_status(self, status: Status) -> list[JobRow]:
        """All jobs of a status, oldest first."""
        return self.jobs(JobQuery(status=status, descending=False), None, -1)

    def move(
        self, name: str, to: Status, *, failure_reason: str | None = None, completed_s: float | None = None
    ) -> bool:
        """Change a job's status if the table allows it from the present one; False: it does not, nothing changed.

        completed_s: when, on the job's own clock; None: now. It ends no sooner than it was last modified.
        """
        sql, values = move_of(name, to, _ms(self.now_s() if completed_s is None else completed_s), failure_reason)
        with self._transaction() as db:
            return db.execute(sql, values).rowcount == 1

    def active(self) -> int:
        """How many jobs count against the quota."""
        with self._lock, _failures():
            return self._active(self._db)

    # Steps

    def put_steps(self, name: str, steps: Sequence[StepRow], at_s: float | None = None) -> None:
        """Keep steps, replacing those of the same index. at_s: when, on the job's own clock; None: now."""
        marks = ", ".join("?" * len(STEP_COLUMNS))
        with self._transaction() as db:
            db.executemany(
                f"INSERT OR REPLACE INTO steps ({', '.join(STEP_COLUMNS)}) VALUES ({marks})",
                [step_values(name, step) for step in steps],
            )
            at_ms = _ms(self.now_s() if at_s is None else at_s)
            db.execute("UPDATE jobs SET modified_ms = MAX(modified_ms, ?) WHERE name = ?", (at_ms, name))

    def steps(
        self, name: str, status: Status | None = None, after: int | None = None, limit: int = -1
    ) -> list[StepRow]:
        """A job's steps in their order. after: the index that the page before ended with; limit -1: all."""
        rows = self._query(
            "SELECT * FROM steps WHERE job = ? AND idx > ? AND (? IS NULL OR status = ?) ORDER BY idx LIMIT ?",
            (name, -1 if after is None else after, status, status, limit),
        )
        return [step for row in rows if (step := _tried(step_of, row, f"step {row['idx']} of job {name}"))]

    def put_run(self, name: str, index: int, result: Mapping[str, Any]) -> None:
        """Keep the whole result of a step's load test (`RunResult.to_dict`), compressed."""
        packed = zlib.compress(json.dumps(result, separators=(",", ":")).encode(), level=6)
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO runs (job, idx, result) VALUES (?, ?, ?)", (name, index, packed))

    def run(self, name: str, index: int) -> dict[str, Any] | None:
        """What `put_run` kept; None: nothing."""
        rows = self._query("SELECT result FROM runs WHERE job = ? AND idx = ?", (name, index))
        return _tried(_unpacked, rows[0], f"result {index} of job {name}") if rows else None

    # Tags

    def tags(self, name: str) -> list[Tag]:
        """In the order in which the keys first came."""
        rows = self._query("SELECT key, value FROM tags WHERE job = ? ORDER BY rowid", (name,))
        return [(row["key"], row["value"]) for row in rows]

    def add_tags(self, name: str, tags: Sequence[Tag]) -> None:
        """Keep tags, replacing the value of a key that is there."""
        with self._transaction() as db:
            self._tag(db, name, tags)

    def delete_tags(self, name: str, keys: Sequence[str]) -> None:
        """Forget tags; keys that are not there are no error."""
        with self._transaction() as db:
            db.executemany("DELETE FROM tags WHERE job = ? AND key = ?", [(name, key) for key in keys])

    def _tag(self, db: sqlite3.Connection, name: str, tags: Sequence[Tag]) -> None:
        db.executemany(
            "INSERT INTO tags (job, key, value) VALUES (?, ?, ?) "
            "ON CONFLICT (job, key) DO UPDATE SET value = excluded.value",
            [(name, key, value) for key, value in tags],
        )

    def _active(self, db: sqlite3.Connection) -> int:
        marks = ", ".join("?" * len(ACTIVE))
        rows = db.execute(f"SELECT seq FROM jobs WHERE status IN ({marks})", sorted(ACTIVE)).fetchall()
        return sum(row["seq"] not in self._bad for row in rows)

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock, _failures():
            return self._db.execute(sql, values).fetchall()

    def _unreadable(self) -> Iterator[int]:
        for row in self._query("SELECT * FROM jobs"):
            if _tried(job_of, row, f"job {row['name']!r} (row {row['seq']})") is None:
                yield row["seq"]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _failures():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has ended it itself, as for a full disk
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise StoreFailure(f"the jobs' state cannot be used: {problem}") from problem


_Row = TypeVar("_Row")


def _tried(read: Callable[[sqlite3.Row], _Row], row: sqlite3.Row, name: str) -> _Row | None:
    try:
        return read(row)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, zlib.error) as problem:
        _LOG.error("%s in the state cannot be read and is left out: %s: %s", name, type(problem).__name__, problem)
        return None


def _unpacked(row: sqlite3.Row) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(row["result"]))
    return found


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def _opened(path: Path) -> sqlite3.Connection:
    """The database, seen to be whole and of this version's tables."""
    advice = "move it away, or give another --state"
    try:
        db = _connect(str(path))
    except sqlite3.Error as problem:
        raise EngineError(f"{path} cannot be opened: {problem}; {advice}") from problem
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise EngineError(f"{path} is damaged: {found}; {advice}")
        db.executescript(SCHEMA)
        for table, columns in (("jobs", JOB_COLUMNS), ("steps", STEP_COLUMNS)):
            missing = set(columns) - {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
            if missing:
                lacks = ", ".join(sorted(missing))
                raise EngineError(f"{path} is of another version: its table {table} has no {lacks}; {advice}")
    except sqlite3.Error as problem:
        db.close()
        raise EngineError(f"{path} cannot be used: {problem}; {advice}") from problem
    except EngineError:
        db.close()
        raise
    return db


def _claim(directory: Path) -> sqlite3.Connection:
    # An exclusive transaction that is never ended: the operating system takes the lock back when the process dies.
    path = directory / "owner.db"
    try:
        claim = sqlite3.connect(str(path), timeout=0.0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as problem:
        raise EngineError(f"{path} cannot be opened: {problem}") from problem
    try:
        claim.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as problem:
        claim.close()
        words = f"the state directory {directory} cannot be used: {problem}; is another server using it?"
        raise EngineError(words) from problem
    return claim


def _ms(time_s: float | None) -> int | None:
    return None if time_s is None else round(time_s * 1000)
