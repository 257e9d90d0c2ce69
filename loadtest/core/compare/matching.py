"""Which levels of several runs are the same. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.core.compare.sample import LevelSample, RunSample

__all__ = ["Side", "matched"]

Side = Sequence[RunSample]


def matched(sides: Sequence[Side], *, begun: bool = False) -> dict[object, tuple[tuple[LevelSample, ...], ...]]:
    """Levels that every run has, by side and run: the same place in the same curve, else the same users.

    begun: also those that were cut short.
    """
    curves = {run.result.plan.curve for side in sides for run in side}
    by_run = [[_keyed(run.begun if begun else run.levels, by_users=len(curves) > 1) for run in side] for side in sides]
    first = by_run[0][0]
    common = [key for key in first if all(key in levels for side in by_run for levels in side)]
    return {key: tuple(tuple(levels[key] for levels in side) for side in by_run) for key in common}


def _keyed(levels: Mapping[int, LevelSample], *, by_users: bool) -> dict[object, LevelSample]:
    if not by_users:
        return dict(levels.items())
    found: dict[object, LevelSample] = {}
    for level in levels.values():
        users = (level.level.from_users, level.level.users)
        found[users, sum(key[0] == users for key in found)] = level  # type: ignore[index]
    return found
