"""Where this program keeps what it can make again: a folder of the user's."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["cache_dir", "keep"]


def cache_dir() -> Path:
    """XDG_CACHE_HOME/loadtest, or one in the platform's cache directory. It need not be there yet."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path there is invalid and to be ignored.
    if os.path.isabs(given):
        return Path(given) / "loadtest"
    local = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else ""
    return (Path(local) if local else Path.home() / ".cache") / "loadtest"


def keep(path: Path, text: str) -> None:
    """Write a file in place of an earlier one, whole or not at all; its folder is made if need be. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
