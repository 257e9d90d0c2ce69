"""Where a machine's calibration is kept: one small JSON file in the user's cache directory.

The file's name is a digest of host, processor, cores and versions, so a calibration of another machine that shares the
home directory, or of another version, is never read: it is simply not there.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

from loadtest.cache import cache_dir, keep
from loadtest.calibration.fit import Calibration
from loadtest.engine.parent.environment import environment

__all__ = ["calibration_file", "load", "save"]


def calibration_file() -> Path:
    """The file of this machine and installation, in XDG_CACHE_HOME/loadtest or the platform's cache directory."""
    facts = json.dumps([platform.node(), environment()], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return cache_dir() / f"calibration-{digest}.json"


def load() -> Calibration | None:
    """This machine's calibration; None: there is none that can be read."""
    try:
        return Calibration.from_dict(json.loads(calibration_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(calibration: Calibration) -> Path:
    """Keep it in place of an earlier one, whole or not at all; the file. Raises OSError."""
    path = calibration_file()
    keep(path, json.dumps(calibration.to_dict(), indent=2) + "\n")
    return path
