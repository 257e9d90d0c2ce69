"""Where a run folder goes: a dated name that nobody has, reserved by its partial folder and published at the end."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from loadtest.folders import sync_folder

__all__ = ["PARTIAL", "free", "publish", "reserve", "run_name"]

PARTIAL = ".partial"


def run_name(created_at: float, job_name: str, label: str) -> str:
    """`20261122T191357Z-my-job`: UTC to the second, then the job's name (or the test's) as a file name may have it."""
    date = datetime.fromtimestamp(created_at, UTC).strftime("%Y%m%dT%H%M%SZ")
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", job_name or label).strip("-")[:64]
    return f"{date}-{slug}" if slug else date


def reserve(parent: Path, name: str, *, exact: bool) -> tuple[Path, str]:
    """(a new folder NAME.partial in `parent`, the name that it reserves)."""
    for path in _numbered(parent, name):
        # A dated name is reserved by its partial folder; beside an exact one may lie those of crashed runs.
        if exact or not path.exists():
            partial = path.with_name(path.name + PARTIAL)
            with contextlib.suppress(FileExistsError):
                partial.mkdir()
                return partial, name if exact else path.name
    raise AssertionError("names do not run out")


def publish(partial: Path, parent: Path, name: str, *, exact: bool) -> Path:
    """Put a partial folder on the disk and give it its final name, which another run may have taken meanwhile."""
    sync_folder(partial)
    for path in _numbered(parent, name):
        if path.exists() and not (exact and free(path)):
            continue
        try:
            partial.replace(path)
        except OSError as problem:
            # A rename onto a full folder is refused.
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            sync_folder(parent)
            return path
    raise AssertionError("names do not run out")


def free(path: Path) -> bool:
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
