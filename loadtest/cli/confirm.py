"""`loadtest run --confirm`: the replay of the rate that a job found, in the folder `confirm` of its run folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loadtest.cli.open_loop import Confirm, replay_plan
from loadtest.core.judge.decision import REASONS
from loadtest.core.result.confirmation import Confirmation, confirmation_of, unconfirmed
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.engine.parent.environment import environment
from loadtest.errors import LoadtestError
from loadtest.report.folder import RunFolder

__all__ = ["FOLDER", "confirmed"]

FOLDER = "confirm"


def confirmed(
    result: RunResult, confirm: Confirm, folder: Path, drive: Callable[[Plan, RunFolder], RunResult]
) -> RunResult:
    """`result` with the answer of the replay, whose own files go to `folder`/confirm.

    drive: runs a plan and writes its windows. No replay follows a run that failed, was stopped, or found no rate.
    """
    return replace(result, confirmation=_confirmation(result, confirm, folder, drive))


def _confirmation(
    result: RunResult, confirm: Confirm, folder: Path, drive: Callable[[Plan, RunFolder], RunResult]
) -> Confirmation:
    if REASONS[result.reason].exit_code:
        return unconfirmed(confirm.share, f"not tried: {REASONS[result.reason].sentence}")
    if result.best is None:
        return unconfirmed(confirm.share, "not tried: no rate held the conditions")
    plan = replay_plan(result.plan, confirm, result.best.per_min)
    with RunFolder(
        folder / FOLDER,
        plan,
        created_at=time.time(),
        exact=True,
        job=result.job,
        label=result.label,
        info=result.info,
        environment=environment(),
    ) as own:
        try:
            replay = drive(plan, own)
        except LoadtestError as problem:
            # The search's result must not be lost with its replay.
            own.discard()
            return unconfirmed(confirm.share, f"the replay could not be run: {problem}", result.best.per_min)
        own.finish(replay)
    return confirmation_of(replay, confirm.share, result.best.per_min)
