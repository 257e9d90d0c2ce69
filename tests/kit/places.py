"""Where things lie, wherever the test that asks for them lies."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DATA", "JOBS", "KIT", "ROOT"]

KIT = Path(__file__).parent
DATA = KIT.parent / "data"
JOBS = DATA / "jobs"  # real job requests
ROOT = KIT.parent.parent  # of the repository
