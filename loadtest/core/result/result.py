"""A finished load test, complete: every report, the API's answer and the exit code are functions of a `RunResult`.

No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.slow import SlowRequests
from loadtest.core.judge.stop.final import final_stop
from loadtest.core.judge.verdict import LatencyVerdict, Trust, TrustReason
from loadtest.core.measure.counters import merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import LevelResult, level_results, plan_levels, taken_together
from loadtest.core.measure.schedule import Schedule, UserChange, audit
from loadtest.core.measure.silence import silent_share
from loadtest.core.measure.totals import Totals, totals_of
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.plain import plain
from loadtest.core.result.capacity import held_capacity, searched_capacity
from loadtest.core.result.confirmation import Confirmation
from loadtest.core.result.findings import Findings, findings
from loadtest.core.result.metrics import BestRate
from loadtest.core.result.model_latency import ModelLatency
from loadtest.core.result.thresholds import Threshold, ThresholdVerdict, judge_thresholds
from loadtest.core.search.capacity import Capacity
from loadtest.core.traffic.plan import Plan

__all__ = ["SCHEMA_VERSION", "ModelLatency", "RunResult", "build_result"]

SCHEMA_VERSION = 1  # rises when a member changes its meaning or goes; new members do not raise it


@dataclass(frozen=True, slots=True)
class RunResult:
    """What was asked, what was run, what was measured, and what follows from it.

    plan: effective, with every default filled in. job: the request as received; None: there was none.
    label, info: which test of the job this is (`LoadTest.label`, `info_of`).
    environment: versions, host and other facts that another run may differ in.
    started_at: epoch seconds; None: virtual time. stopped_at_s: run time of the stop, then it drains; None: not told.
    verdicts: one per level with requests; overall: of the whole run; None: no threshold, or nothing measured.
    slow: how the requests over the threshold came; None: no threshold, or nothing measured.
    best: the highest rate while the conditions held; None: there was none.
    changes: every user's start and stop. not_run: labels of the job's tests that were not run (T11).
    problems: what went wrong besides failed requests; log_tail: the generator's last lines if it was lost.
    confirmation: whether the best rate held as an open workload; None: that was not asked.
    thresholds: what was asked besides the job's own threshold, judged; (): nothing.
    workers: the generator processes of a distributed run; (): it had one, this machine's.
    capacity: what a search found, whose loads `plan` then has, or what the levels of a planned load show; None: nothing
        says what a load is to hold, or there is one load only.
    cloudwatch: what CloudWatch told of the endpoint's side, as `cloudwatch.json` has it; None: it was not asked.
    """

    plan: Plan
    reason: Reason
    evidence: Mapping[str, Any]
    windows: tuple[Window, ...]
    levels: tuple[LevelResult, ...]
    totals: Totals
    latency: ModelLatency
    schedule: Schedule
    trust: Trust
    best: BestRate | None = None
    verdicts: tuple[LatencyVerdict, ...] = ()
    overall: LatencyVerdict | None = None
    slow: SlowRequests | None = None
    job: Mapping[str, Any] | None = None
    label: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    started_at: float | None = None
    stopped_at_s: float | None = None
    changes: tuple[UserChange, ...] = ()
    not_run: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()
    confirmation: Confirmation | None = None
    workers: tuple[Worker, ...] = ()
    thresholds: tuple[ThresholdVerdict, ...] = ()
    capacity: Capacity | None = None
    cloudwatch: Mapping[str, Any] | None = None

    @property
    def max_invocations_per_min(self) -> float | None:
        """The per-instance maximum (R1); None: no rate held the conditions."""
        return None if self.best is None else self.best.per_min

    @property
    def estimated(self) -> bool:
        """`max_invocations_per_min` is extrapolated from less than a full rate window."""
        return self.best is not None and self.best.estimated

    @property
    def model_latency_ms(self) -> float | None:
        """As the API reports it (R5)."""
        return self.latency.reported_ms

    @property
    def searched(self) -> bool:
        """The load was not planned: a search moved it."""
        return self.plan.search is not None

    @property
    def silent_share(self) -> float:
        """Share of the traffic's time in which nothing succeeded, 0..1, beyond what slow answers explain."""
        ended_s = math.inf if self.stopped_at_s is None else self.stopped_at_s
        return silent_share([window for window in self.windows if window.start_s < ended_s])

    def latency_histogram(self) -> Histogram:
        """The client's latencies of the whole run, successes only."""
        return _merged(self.levels, self.windows)[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "label": self.label,
            "info": self.info,
            "job": self.job,
            "plan": self.plan.shown(),
            "environment": self.environment,
            "started_at": self.started_at,
            "stopped_at_s": self.stopped_at_s,
            "reason": self.reason.value,
            "evidence": self.evidence,
            "totals": self.totals.to_dict(),
            "best": self.best and asdict(self.best),
            "latency": asdict(self.latency),
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "overall": self.overall and asdict(self.overall),
            "slow": self.slow and self.slow.to_dict(),
            "trust": plain(asdict(self.trust)),
            "schedule": self.schedule.to_dict(),
            "levels": [level.to_dict() for level in self.levels],
            "changes": [list(change) for change in self.changes],
            "not_run": list(self.not_run),
            "problems": list(self.problems),
            "log_tail": list(self.log_tail),
            "confirmation": self.confirmation and plain(asdict(self.confirmation)),
            "workers": [asdict(worker) for worker in self.workers],
            "thresholds": [plain(asdict(verdict)) for verdict in self.thresholds],
            "capacity": self.capacity and self.capacity.to_dict(),
            "cloudwatch": self.cloudwatch,
            "windows": [plain(window.to_dict()) for window in self.windows],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunResult:
        """The inverse of `to_dict`, also after a trip through JSON. Raises ValueError for another schema version."""
        if values.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {values.get('schema_version')!r}, this version reads {SCHEMA_VERSION}")
        trust = values["trust"]
        return cls(
            plan=Plan.from_dict(values["plan"]),
            reason=Reason(values["reason"]),
            evidence=values["evidence"],
            windows=tuple(Window.from_dict(window) for window in values["windows"]),
            levels=tuple(LevelResult.from_dict(level) for level in values["levels"]),
            totals=Totals.from_dict(values["totals"]),
            latency=ModelLatency(**values["latency"]),
            schedule=Schedule.from_dict(values["schedule"]),
            trust=Trust(**{**trust, "reasons": tuple(TrustReason(**reason) for reason in trust["reasons"])}),
            best=values["best"] and BestRate(**values["best"]),
            verdicts=tuple(LatencyVerdict(**verdict) for verdict in values["verdicts"]),
            overall=values["overall"] and LatencyVerdict(**values["overall"]),
            slow=SlowRequests.from_dict(values["slow"]) if values.get("slow") else None,
            job=values["job"],
            label=values["label"],
            info=values["info"],
            environment=values["environment"],
            started_at=values["started_at"],
            stopped_at_s=values["stopped_at_s"],
            changes=tuple(UserChange(*change) for change in values["changes"]),
            not_run=tuple(values["not_run"]),
            problems=tuple(values["problems"]),
            log_tail=tuple(values["log_tail"]),
            confirmation=Confirmation.from_dict(values["confirmation"]) if values.get("confirmation") else None,
            workers=tuple(Worker.from_dict(worker) for worker in values.get("workers", ())),
            thresholds=tuple(ThresholdVerdict(**verdict) for verdict in values.get("thresholds", ())),
            capacity=Capacity.from_dict(values["capacity"]) if values.get("capacity") else None,
            cloudwatch=values.get("cloudwatch"),
        )

    def judged(self, thresholds: Sequence[Threshold]) -> RunResult:
        """With the verdicts on `thresholds`, and the capacity that holds them besides, from the traffic's windows."""
        traffic = _traffic(self.windows, self.stopped_at_s)
        asked = [each for each in thresholds if each.metric != "rate"]
        capacity = self.capacity if self.searched or not asked else held_capacity(self.plan, traffic, self.slow, asked)
        return replace(self, thresholds=judge_thresholds(thresholds, self.plan, traffic), capacity=capacity)


def build_result(
    plan: Plan,
    windows: Sequence[Window],
    stop: Stop,
    *,
    starts: Sequence[UserChange] = (),
    job: Mapping[str, Any] | None = None,
    label: str = "",
    info: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    started_at: float | None = None,
    stopped_at_s: float | None = None,
    not_run: Sequence[str] = (),
    problems: Sequence[str] = (),
    log_tail: Sequence[str] = (),
    confirmation: Confirmation | None = None,
    workers: Sequence[Worker] = (),
    found: Findings | None = None,
) -> RunResult:
    """The result of a run that ended with `stop`; `final_stop` has the last word on that.

    windows: all, in any order; those at or after `stopped_at_s`, or without planned users, count in the totals only.
    found: what was concluded then; None: it follows from `plan` and `windows`.
    """
    ordered = tuple(sorted(windows, key=lambda window: window.index))
    stop = final_stop(stop, ordered, stopped_at_s)
    plan, capacity = searched_capacity(plan, ordered, stop.reason, stopped_at_s)
    levels = level_results(plan_levels(plan), ordered)
    client, model = _merged(levels, ordered)
    traffic = _traffic(ordered, stopped_at_s)
    if found is None:
        sums = (client, model)
        found = findings(plan, ordered, levels, stop.reason, traffic, sums, workers=workers, capacity=capacity)
    return RunResult(
        plan=plan,
        reason=stop.reason,
        evidence=plain(stop.evidence),
        windows=ordered,
        levels=levels,
        totals=_totals(ordered, client, model, workers),
        schedule=audit(starts, ordered),
        job=None if job is None else plain(job),
        label=label,
        info=plain(info or {}),
        environment=plain(environment or {}),
        started_at=started_at,
        stopped_at_s=stopped_at_s,
        changes=tuple(starts),
        not_run=tuple(not_run),
        problems=tuple(problems),
        log_tail=tuple(log_tail),
        confirmation=confirmation,
        workers=tuple(workers),
        **{each.name: getattr(found, each.name) for each in fields(Findings)},
    )


def _traffic(windows: Sequence[Window], stopped_at_s: float | None) -> list[Window]:
    """Without the draining."""
    ended_s = math.inf if stopped_at_s is None else stopped_at_s
    return [window for window in windows if window.users and window.start_s < ended_s]


def _totals(windows: Sequence[Window], client: Histogram, model: Histogram, workers: Sequence[Worker]) -> Totals:
    totals = totals_of(windows, client, model)
    lost = max(totals.lost_workers, sum(worker.lost for worker in workers))
    return replace(totals, lost_workers=lost)


def _merged(levels: Sequence[LevelResult], windows: Sequence[Window]) -> tuple[Histogram, Histogram]:
    """The whole run's histograms, client's and model's. What lies in a level is merged already; the rest is little."""
    parts = taken_together(levels, windows)
    return merged(part.client.encoded for part in parts), merged(part.model.encoded for part in parts)
