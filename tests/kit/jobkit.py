"""Shared parts of these tests: a request, an engine whose runs end when the test says so, waiting."""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from places import JOBS
from results import result_with
from windows import flat_window

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.jobs.events import MetricPoint
from loadtest.jobs.service import JobService
from loadtest.jobs.signal import StopSignal

DATA = JOBS
FINAL = ("COMPLETED", "FAILED", "STOPPED")
NOWHERE = "http://127.0.0.1:9/invocations"  # real targets need no mock process; nobody sends anything there


def job_request(name: str = "job-1", instances: tuple[str, ...] = ("ml.c5.xlarge",), **changes: Any) -> dict[str, Any]:
    """A valid Advanced request; `changes` go into InputConfig."""
    request: dict[str, Any] = {
        "JobName": name,
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "InputConfig": {
            "ModelPackageVersionArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1",
            "JobDurationInSeconds": 7200,
            "EndpointConfigurations": [{"InstanceType": instance} for instance in instances],
            "TrafficPattern": {
                "TrafficType": "PHASES",
                "Phases": [{"InitialNumberOfUsers": 1, "SpawnRate": 1, "DurationInSeconds": 120}],
            },
            **changes,
        },
    }
    return copy.deepcopy(request)


@cache
def _encoded(n: int, latency_ms: float) -> str:
    histogram = Histogram()
    histogram.record(np.full(n, round(latency_ms * 1000), np.int64))
    return histogram.encode() if n else ""


def window(index: int, *, ok: int = 100, latency_ms: float = 20.0, users: int = 1, level: int | None = 0) -> Window:
    """Ten seconds in which `ok` requests of one latency completed."""
    return flat_window(
        index=index,
        start_s=index * 10.0,
        end_s=index * 10.0 + 10.0,
        level=level,
        users=users,
        running=users,
        active=users,
        in_flight=users,
        ok=ok,
        latency=_encoded(ok, latency_ms),
        model_latency=_encoded(ok, latency_ms),
        latency_sum_s=ok * latency_ms / 1000,
        p95_ms=latency_ms,
    )


class HandEngine:
    """An engine whose runs end when the test lets them (`release`), or when they are told to stop.

    started: the plans, as their runs begin. most: how many ran at the same time. fail: instance of what `run` raises.
    """

    virtual: bool = False

    def __init__(self, released: bool = False) -> None:
        self.started: queue.Queue[Plan] = queue.Queue()
        self.reason = Reason.CURVE_END
        self.fail: Exception | None = None
        self.fail_first = 0
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._gate = threading.Event()
        if released:
            self._gate.set()

    def release(self) -> None:
        self._gate.set()

    def run(self, plan: Plan, on_window: Callable[[Window], None], signal: StopSignal) -> RunResult:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            failing = self.fail is not None and (self.fail_first == 0 or self.started.qsize() < self.fail_first)
            self.started.put(plan)
        woken = threading.Event()
        try:
            if failing:
                assert self.fail is not None
                raise self.fail
            windows = [window(i) for i in range(7)]
            for each in windows:
                on_window(each)
            with signal.heard_by(woken.set, woken.set):
                while not woken.is_set() and not self._gate.wait(0.005):
                    pass
            reason = Reason.USER if woken.is_set() else self.reason
            return result_with(plan, windows, Stop(reason))
        finally:
            with self._lock:
                self._now -= 1


class Heard:
    """An EventSink that keeps everything."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, float]] = []
        self.points: list[MetricPoint] = []

    def log(self, stream: str, message: str, time_s: float) -> None:
        self.lines.append((stream, message, time_s))

    def metric(self, point: MetricPoint) -> None:
        self.points.append(point)


def ended(service: JobService, name: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """Describe's answer once the job has ended."""
    return awaited(lambda: described(service, name), lambda job: job["Status"] in FINAL, timeout_s)


def described(service: JobService, name: str) -> dict[str, Any]:
    return service.describe_inference_recommendations_job({"JobName": name})


def awaited(ask: Callable[[], Any], good: Callable[[Any], bool], timeout_s: float = 60.0) -> Any:
    """What `ask` returns once it is good; a generous limit, since the machine may be busy."""
    until_s = time.monotonic() + timeout_s
    while not good(found := ask()):
        assert time.monotonic() < until_s, f"still {found}"
        time.sleep(0.005)
    return found


def steps_of(service: JobService, name: str, **filters: Any) -> list[Mapping[str, Any]]:
    steps: list[Mapping[str, Any]] = service.list_inference_recommendations_job_steps(
        {"JobName": name, "MaxResults": 100, **filters}
    )["Steps"]
    return steps
