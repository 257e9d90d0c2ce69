"""From a run folder back to its result: of a finished one, or of one whose writer died."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.slow import SlowRequests, slow_requests
from loadtest.core.judge.verdict import LatencyVerdict, Trust, TrustReason
from loadtest.core.judge.verdicts import replayed
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.result.confirmation import Confirmation
from loadtest.core.result.findings import Findings
from loadtest.core.result.metrics import BestRate
from loadtest.core.result.model_clock import judged_by_model
from loadtest.core.result.model_latency import ModelLatency
from loadtest.core.result.periods import KEPT_AS
from loadtest.core.result.result import SCHEMA_VERSION, RunResult, build_result
from loadtest.core.result.thresholds import ThresholdVerdict
from loadtest.core.search.capacity import Capacity
from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError, words
from loadtest.folders import is_locked
from loadtest.report.folder import PARTIAL
from loadtest.report.tables import read_schedule
from loadtest.report.whole import whole_folder

__all__ = ["complete", "in_use", "read_run"]


def read_run(path: str | os.PathLike[str]) -> RunResult:
    """The result in a run folder; it equals the one that was written.

    A `.partial` folder gives what its writer got to write, with reason ENGINE_LOST. Raises SpecError if the folder
    is not one of ours or has another schema version.
    """
    folder = Path(path)
    told = folder / KEPT_AS
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {config['schema_version']!r}, this version reads {SCHEMA_VERSION}")
        common = {
            "starts": read_schedule((folder / "schedule.csv").read_text(encoding="utf-8")),
            "job": json.loads((folder / "job.json").read_text(encoding="utf-8")),
            "label": config["label"],
            "info": config["info"],
            "environment": config["environment"],
            "started_at": config["started_at"],
        }
        cloudwatch = json.loads(told.read_text(encoding="utf-8")) if told.exists() else None
        plan = Plan.from_dict(config["effective"])
        windows = list(_windows(folder / "windows.jsonl"))
        summary = folder / "summary.json"
        if summary.exists():
            end = json.loads(summary.read_text(encoding="utf-8"))
            stop, found = Stop(Reason(end["reason"]), end["evidence"]), _findings(plan, windows, end)
            result = build_result(plan, windows, stop, **common, **_facts(end), found=found)
            return replace(result, cloudwatch=cloudwatch)
        log = (folder / "run.log").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise SpecError(
            [Problem(str(folder), "", f"is not a run folder that can be read: {words(problem)}")]
        ) from problem
    lost = Stop(Reason.ENGINE_LOST, {"why": "the run's folder was left unfinished", "last_window_s": _last_s(windows)})
    result = build_result(plan, windows, lost, **common, log_tail=log[-20:])
    return judged_by_model(replace(result, cloudwatch=cloudwatch))


def _windows(path: Path) -> Iterator[Window]:
    """Every whole line; a last one that was cut short is dropped."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Window.from_dict(json.loads(line))


def _last_s(windows: list[Window]) -> float:
    return max((window.end_s for window in windows), default=0.0)


def _facts(summary: dict[str, Any]) -> dict[str, Any]:
    """What only the end of a run knew, as `build_result` takes it."""
    return {
        "stopped_at_s": summary["stopped_at_s"],
        "not_run": summary["not_run"],
        "problems": summary["problems"],
        "log_tail": summary["log_tail"],
        "confirmation": Confirmation.from_dict(summary["confirmation"]) if summary.get("confirmation") else None,
        "workers": [Worker.from_dict(worker) for worker in summary.get("workers", ())],
    }


def _findings(plan: Plan, windows: Sequence[Window], summary: dict[str, Any]) -> Findings:
    """What was concluded then: this version might read the same windows otherwise."""
    trust, overall, best = summary["trust"], summary["overall"], summary["best"]
    return Findings(
        trust=Trust(**{**trust, "reasons": tuple(TrustReason(**reason) for reason in trust["reasons"])}),
        latency=ModelLatency(**summary["model_latency"]),
        verdicts=tuple(LatencyVerdict(**verdict) for verdict in summary["verdicts"]),
        overall=overall and LatencyVerdict(**overall),
        slow=_slow(plan, windows, summary),
        best=best and BestRate(**best),
        thresholds=tuple(ThresholdVerdict(**verdict) for verdict in summary.get("thresholds", ())),
        capacity=Capacity.from_dict(summary["capacity"]) if summary.get("capacity") else None,
    )


def _slow(plan: Plan, windows: Sequence[Window], summary: dict[str, Any]) -> SlowRequests | None:
    """Folders of versions that did not tell have windows that do."""
    if "slow" in summary:
        return SlowRequests.from_dict(summary["slow"]) if summary["slow"] else None
    watch = replayed(plan, windows)
    return None if watch is None else slow_requests(plan, windows, watch)


def in_use(folder: Path) -> bool:
    """Somebody is still writing it. False also where the platform has no locks to tell by."""
    return is_locked(folder / "run.log")


def complete(folder: Path) -> tuple[RunResult, Path, dict[str, str]]:
    """Make an unfinished folder, `NAME.partial`, a whole one: (its result, where it is now, files not written).

    The unfinished one goes once the whole one is there. Raises SpecError as `read_run`, and if nothing can be written.
    """
    folder = folder.resolve()
    result = read_run(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    path, log = folder.with_name(folder.name.removesuffix(PARTIAL)), (folder / "run.log").read_text(encoding="utf-8")
    try:
        target = whole_folder(path, result, config["created_at"], exact=True, log=log)
    except OSError as problem:
        raise SpecError([Problem(str(folder), "", f"cannot be completed: {problem.strerror}")]) from problem
    if not target.missing:
        shutil.rmtree(folder, ignore_errors=True)
    return result, target.path, target.missing
