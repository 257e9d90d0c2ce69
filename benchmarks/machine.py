"""What every benchmark shares: the facts of the machine, the JSON line, medians, and which core does what."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["arguments", "cores", "emit", "facts", "load", "pinned", "ratio", "skip", "summary", "tool_version"]

ROOT = Path(__file__).resolve().parent.parent


@cache
def facts() -> dict[str, Any]:
    """Of this machine and of what runs on it; the same for every line of a run."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "machine": f"{os.cpu_count()} x {model}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("gevent", "locust", "boto3", "numpy")},
        "commit": commit.stdout.strip(),
    }


def load() -> float:
    """Runnable processes, averaged over the last minute: what else the machine had to do."""
    return round(os.getloadavg()[0], 2)


def emit(question: str, **values: Any) -> None:
    """Print one JSON line."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"question": question, **values, "load": load(), "at": at, **facts()}), flush=True)


def skip(question: str, what: str, why: str) -> None:
    """Print the line that says what could not be measured."""
    emit(question, skipped=what, why=why)


def summary(values: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """n, median and spread (lowest and highest) of the rounds."""
    return {
        "n": len(values),
        "median": round(statistics.median(values), digits),
        "spread": [round(min(values), digits), round(max(values), digits)],
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Ours over theirs, round by round since they ran next to each other, then the median. None: no round had both."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=False) if b]
    return round(statistics.median(ratios), 3) if ratios else None


def cores() -> tuple[set[int], set[int]]:
    """(the server's core, the client's core); the same one twice if there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


@contextmanager
def pinned(to: set[int]) -> Iterator[None]:
    """Processes started inside run on these cores only, and so does this thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@cache
def tool_version(name: str) -> str | None:
    """What `name` says of itself; None: it is not installed."""
    path = shutil.which(name)
    if path is None:
        return None
    flag = {"wrk": "-v", "nginx": "-v", "hey": "-h"}.get(name, "--version")
    told = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    first = (told.stdout + told.stderr).strip().splitlines()
    return first[0][:60] if first and name != "hey" else name


def arguments(description: str | None) -> argparse.Namespace:
    """--quick, --rounds and --users, as the benchmarks take them where they mean something."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: does it work, not how fast is it")
    parser.add_argument("--rounds", type=int, default=None, help="rounds of everything, interleaved")
    parser.add_argument("--users", type=int, nargs="+", default=None, help="instead of its own numbers of users")
    return parser.parse_args()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
