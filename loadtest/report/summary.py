"""`summary.json`: the result without its bulk (windows, histograms, the plan), for scripts. Units are in the names."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadtest.core.judge.decision import REASONS
from loadtest.core.measure.levels import LevelResult
from loadtest.core.plain import plain
from loadtest.core.result.result import SCHEMA_VERSION, RunResult
from loadtest.core.result.service_side import service_side

__all__ = ["summary_of"]

BULK = ("latency", "model_latency")  # encoded histograms; latency.hlog has them


def summary_of(result: RunResult) -> dict[str, Any]:
    """Plain JSON values; None stands for what was not measured."""
    best = result.best
    return {
        "schema_version": SCHEMA_VERSION,
        "label": result.label,
        "reason": result.reason.value,
        "sentence": REASONS[result.reason].sentence,
        "evidence": result.evidence,
        "overall": result.overall and plain(asdict(result.overall)),
        "verdicts": [plain(asdict(verdict)) for verdict in result.verdicts],
        "trust": plain(asdict(result.trust)),
        "max_invocations_per_min": result.max_invocations_per_min,
        "max_invocations_estimated": result.estimated,
        "best": best and asdict(best),
        "model_latency_ms": result.model_latency_ms,
        "model_latency": asdict(result.latency),
        "totals": result.totals.to_dict(),
        "levels": [_level(level) for level in result.levels],
        "schedule": result.schedule.to_dict(),
        "started_at": result.started_at,
        "stopped_at_s": result.stopped_at_s,
        "not_run": list(result.not_run),
        "cloudwatch": _cloudwatch(result),
        "existing_endpoint": result.info.get("existing_endpoint"),
        "not_used": list(result.info.get("not_used", ())),
        "problems": list(result.problems),
        "log_tail": list(result.log_tail),
        "workload": _workload(result),
        "confirmation": result.confirmation and plain(asdict(result.confirmation)),
        "workers": [asdict(worker) for worker in result.workers],
        "slow": result.slow and plain(result.slow.to_dict()),
        "capacity": result.capacity and result.capacity.to_dict(),
        "thresholds": [plain(asdict(verdict)) for verdict in result.thresholds],
    }


def _cloudwatch(result: RunResult) -> dict[str, Any] | None:
    """Levels and periods beside the client's figures; cloudwatch.json has the points themselves, and the log."""
    side = service_side(result)
    return None if side is None else side.to_dict()


def _level(level: LevelResult) -> dict[str, Any]:
    return {name: value for name, value in level.to_dict().items() if name not in BULK}


def _workload(result: RunResult) -> dict[str, Any]:
    """Closed: so many users, each waiting for its answer. Open: requests at their own times."""
    arrivals, peak = result.plan.arrivals, result.plan.curve.peak
    if arrivals is None:
        return {"kind": "closed", "peak_users": peak}
    told = {name: value for name, value in asdict(arrivals).items() if name != "steps"}
    return {"kind": "open", **told, "in_flight_limit": peak}
