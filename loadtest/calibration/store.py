"""Where a machine's calibration is kept: one small JSON file in the user's cache directory.

The file's name is a digest of host, processor, cores and versions, so a calibration of another machine that shares the
home directory, or of another version, is never read: it is simply not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path

from loadtest.calibration.fit import Calibration
from loadtest.engine.parent.environment import environment

__all__ = ["calibration_file", "load", "save"]


def calibration_file() -> Path:
    """The file of this machine and installation, in XDG_CACHE_HOME/loadtest or the platform's cache directory."""
    facts = json.dumps([platform.node(), environment()], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return _cache_dir() / f"calibration-{digest}.json"


def load() -> Calibration | None:
    """This machine's calibration; None: there is none that can be read."""
    try:
        return Calibration.from_dict(json.loads(calibration_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(calibration: Calibration) -> Path:
    """Keep it in place of an earlier one, whole or not at all; the file. Raises OSError."""
    path = calibration_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".calibration-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(calibration.to_dict(), out, indent=2)
            out.write("\n")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return path


def _cache_dir() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path there is invalid and to be ignored.
    if os.path.isabs(given):
        return Path(given) / "loadtest"
    local = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else ""
    return (Path(local) if local else Path.home() / ".cache") / "loadtest"
