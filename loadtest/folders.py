"""Where a file lies, whatever links lead there; whether one can be written; a folder that is on the disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from loadtest.errors import words

__all__ = ["lies_in", "sync_folder", "unwritable"]

MAX_MEMBERS = 10_000  # entries of a folder that are looked at; a payload folder with more is refused when it is read


def lies_in(path: str | Path, roots: Iterable[str | Path]) -> bool:
    """Whether `path`, and whatever a link in it leads to, lies in one of the folders; "" is none."""
    folders = [os.path.realpath(root) for root in roots if str(root)]
    links = (Path(top, name) for top, inner, names in os.walk(path) for name in (*inner, *names))
    places = [Path(path), *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
    return all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in folders) for place in places)


def unwritable(path: Path) -> str | None:
    """Why no file can be written there, in the system's words, as far as is known without trying; None: it can."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as problem:
        if os.access(path.parent, os.W_OK):
            return None
        return os.strerror(errno.EACCES) if path.parent.is_dir() else words(problem)
    except (OSError, ValueError) as problem:
        return words(problem)
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    return None if os.access(path, os.W_OK) else os.strerror(errno.EACCES)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to disk, where the platform can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
