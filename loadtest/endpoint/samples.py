"""Measured latencies from a text file, for the empirical law of a mock endpoint."""

from __future__ import annotations

import math
from pathlib import Path

from loadtest.errors import Problem, SpecError, words

__all__ = ["MAX_SAMPLES", "read_samples"]

MAX_SAMPLES = 10_000_000
MAX_BYTES = 1 << 28


def read_samples(path: str | Path) -> tuple[float, ...]:
    """Latencies in ms, one a line; blank lines and what follows a `#` are skipped.

    Raises SpecError if it is no regular file, cannot be read, holds no value, more than MAX_SAMPLES, or one that is
    not a finite number of at least 0 (up to ten such lines are named).
    """
    values: list[float] = []
    problems: list[Problem] = []
    try:
        # A pipe or a device might never end.
        if Path(path).stat().st_size > MAX_BYTES or not Path(path).is_file():
            raise ValueError(f"it is no regular file of at most {MAX_BYTES >> 20} MiB")
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                text = line.partition("#")[0].strip()
                if not text:
                    continue
                value = _number(text)
                if value is None:
                    problems.append(Problem(f"{path}:{number}", text[:40], "must be a latency in ms, at least 0"))
                else:
                    values.append(value)
                if len(problems) == 10 or len(values) > MAX_SAMPLES:
                    break
    except (OSError, ValueError) as problem:
        problems.append(Problem(str(path), "", f"the samples cannot be read: {words(problem)}"))
    if len(values) > MAX_SAMPLES:
        problems.append(Problem(str(path), "", f"has more than {MAX_SAMPLES} values"))
    if not values and not problems:
        problems.append(Problem(str(path), "", "holds no value", "write one latency in ms a line"))
    if problems:
        raise SpecError(problems)
    return tuple(values)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
