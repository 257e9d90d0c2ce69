"""Plans that take seconds, and a look at the process table: for the engine's tests."""

from __future__ import annotations

import time
from pathlib import Path

from loadtest.core.request.spec import RunOptions, StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef


def plan_of(
    *steps: tuple[float, int],
    end_s: float,
    target: str = "plugin_targets:Sleeper",
    stop: StopConditions | None = None,
    **options: object,
) -> Plan:
    """A plan with short windows, for tests that take seconds."""
    return Plan(
        curve=TrafficCurve(tuple(Step(at_s, users) for at_s, users in steps), end_s),
        stop=stop or StopConditions(flat_stops=False),
        target=TargetRef(target),
        options=RunOptions(**{"window_s": 0.25, "drain_s": 5.0, **options}),  # type: ignore[arg-type]
    )


def descendants(pid: int) -> set[int]:
    """Living processes below `pid`, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def gone(pids: set[int], within_s: float) -> bool:
    """Every one of them has ended within the time."""
    limit_s = time.monotonic() + within_s
    while time.monotonic() < limit_s:
        if not any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
