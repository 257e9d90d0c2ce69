"""Where a file lies, whatever links lead there; and a folder that is on the disk: one answer each for everybody."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

__all__ = ["lies_in", "sync_folder"]

MAX_MEMBERS = 10_000  # entries of a folder that are looked at; a payload folder with more is refused when it is read


def lies_in(path: str | Path, roots: Iterable[str | Path]) -> bool:
    """Whether `path`, and whatever a link in it leads to, lies in one of the folders; "" is none."""
    folders = [os.path.realpath(root) for root in roots if str(root)]
    links = (Path(top, name) for top, inner, names in os.walk(path) for name in (*inner, *names))
    places = [Path(path), *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
    return all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in folders) for place in places)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to disk, where the platform can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
