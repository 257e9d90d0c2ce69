"""`schedule.csv` and `levels.csv`: one row a user change, one row a level; and the way back. Units in the headings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.plain import plain

__all__ = ["SCHEDULE_HEAD", "levels_csv", "read_schedule", "schedule_rows", "window_line"]

SCHEDULE_HEAD = "user,action,planned_s,actual_s,lag_ms\n"
ACTIONS: Mapping[str, Literal["start", "stop"]] = {"start": "start", "stop": "stop"}
LEVEL_COLUMNS = (
    "level",
    "users",
    "from_users",
    "start_s",
    "end_s",
    "windows",
    "measured_s",
    "ok",
    "errors",
    "throughput_per_s",
    "in_flight",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
    "model_p50_ms",
    "model_p95_ms",
    "model_p99_ms",
    "over",
    "ttfb_p50_ms",
    "ttfb_p95_ms",
    "ttfb_p99_ms",
    "ttfb_max_ms",
    "inter_chunk_p50_ms",
    "inter_chunk_p95_ms",
    "inter_chunk_p99_ms",
    "inter_chunk_max_ms",
    "connects",
    "reconnects",
    "connect_p50_ms",
    "connect_p95_ms",
    "connect_p99_ms",
    "connect_max_ms",
    "rate_per_s",
)


def schedule_rows(changes: Iterable[UserChange]) -> str:
    """A line for each change, without the head. Times in full precision, so that they read back as they were."""
    return "".join(f"{c.user},{c.action},{c.planned_s!r},{c.actual_s!r},{c.lag_ms:.3f}\n" for c in changes)


def read_schedule(text: str) -> tuple[UserChange, ...]:
    """The inverse of head and rows; a last line that was cut short is dropped. Raises ValueError for another table."""
    if not text.startswith(SCHEDULE_HEAD):
        raise ValueError("not a schedule.csv")
    changes = []
    for line in text[len(SCHEDULE_HEAD) : text.rfind("\n") + 1].splitlines():
        user, action, planned_s, actual_s, _ = line.split(",")
        if action not in ACTIONS:
            raise ValueError(f"not a user change: {line!r}")
        changes.append(UserChange(int(user), ACTIONS[action], float(planned_s), float(actual_s)))
    return tuple(changes)


def levels_csv(levels: Sequence[LevelResult]) -> str:
    """The whole file; an empty cell is what was not measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LEVEL_COLUMNS)
    rows = (level.to_dict() for level in levels)
    writer.writerows([row[column] for column in LEVEL_COLUMNS] for row in rows)
    return out.getvalue()


def window_line(window: Window) -> str:
    """One line of windows.jsonl."""
    values = window.to_dict()
    values.pop("requests", None)  # their file is another
    return json.dumps(plain(values), separators=(",", ":")) + "\n"
