"""Where a file lies, whatever links lead there; whether somebody holds it; a folder that is on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on every platform
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_locked", "lies_in", "sync_folder"]

MAX_MEMBERS = 10_000  # entries of a folder that are looked at; a payload folder with more is refused when it is read


def lies_in(path: str | Path, roots: Iterable[str | Path]) -> bool:
    """Whether `path`, and whatever a link in it leads to, lies in one of the folders; "" is none."""
    folders = [os.path.realpath(root) for root in roots if str(root)]
    links = (Path(top, name) for top, inner, names in os.walk(path) for name in (*inner, *names))
    places = [Path(path), *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
    return all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in folders) for place in places)


def is_locked(path: Path) -> bool:
    """Does a process hold a lock on this file? False also where there is no file, or no locks to tell by."""
    if fcntl is None:
        return False
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def sync_folder(path: Path) -> None:
    """Force a folder's entries to disk, where the platform can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
