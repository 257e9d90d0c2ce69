"""Where a file lies, whatever links lead there: one answer for everybody who lets others name files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

__all__ = ["lies_in"]

MAX_MEMBERS = 10_000  # entries of a folder that are looked at; a payload folder with more is refused when it is read


def lies_in(path: str | Path, roots: Iterable[str | Path]) -> bool:
    """Whether `path`, and whatever a link in it leads to, lies in one of the folders; "" is none."""
    folders = [os.path.realpath(root) for root in roots if str(root)]
    links = (Path(top, name) for top, inner, names in os.walk(path) for name in (*inner, *names))
    places = [Path(path), *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
    return all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in folders) for place in places)
