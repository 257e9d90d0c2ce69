"""Facts about this machine and installation that another run may differ in. Nothing secret, nothing personal."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from loadtest.version import VERSION

__all__ = ["environment"]

PACKAGES = ("locust", "gevent", "numpy", "hdrhistogram", "boto3", "botocore")


def environment() -> dict[str, str | int]:
    """Versions, interpreter, operating system, cores that may be used, processor."""
    facts: dict[str, str | int] = {
        "loadtest": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
