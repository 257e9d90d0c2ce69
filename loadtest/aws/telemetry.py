"""CloudWatch asked while a run goes on and after it, until what it publishes late is there or the time for it is over.

    with Telemetry(clients, place, say=..., keep=...) as told:
        ... the run ...                      once a minute, on a thread of its own that nobody waits for
    result = told.completed(result)          the last points, the log's lines, and what follows from both

What came is kept at once (`keep`): points of less than a minute live three hours. Nobody documents how late a point may
be; so whole periods inside levels are asked for again until they have as many requests as were answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from loadtest.aws.clients import UNANSWERED, Clients, aws_words, is_forbidden
from loadtest.aws.endpoint_logs import error_lines, minutes_with_errors
from loadtest.aws.metrics import Place, Points, ask
from loadtest.core.result.model_clock import judged_by_model
from loadtest.core.result.periods import KEPT_AS, unpublished
from loadtest.core.result.result import RunResult
from loadtest.errors import TargetError

__all__ = ["SCHEMA_VERSION", "WAIT_S", "Telemetry"]

SCHEMA_VERSION = 1
PERIOD_S = 60.0
LOOK_S = 10.0  # between two looks after the run
BACK_S = 900.0  # what is older is not asked for again while the run goes on
WAIT_S = 180.0
LONGEST_WORDS = 200
ENOUGH = 3  # failed looks in a row: nobody is there who answers


class Telemetry:
    """A context manager. say: told what a person may want to know. keep: (file name, document) of what came so far.

    wait_s: how long the last points are waited for. clock, pause: epoch seconds, and what waits so many seconds and
    says whether to give up; the default gives up when `hurry` was called. Raises nothing for AWS's sake.
    """

    def __init__(
        self,
        clients: Clients,
        place: Place,
        *,
        say: Callable[[str], object],
        keep: Callable[[str, Any], object] = lambda name, document: None,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        self._clients, self._place = clients, place
        self._say, self._keep = say, keep
        self._wait_s, self._clock = wait_s, clock
        self._hurried, self._ended = threading.Event(), threading.Event()
        self._pause = pause or self._hurried.wait
        self._lock = threading.Lock()
        self._points: Points = {}
        self._since_s = clock()
        self._offset_s: float | None = None
        self._problems: dict[bool, str] = {}  # of the plain statistics (False) and of the extended ones
        self._fails = {False: 0, True: 0}  # looks in a row
        self._thread = threading.Thread(target=self._watch, name="loadtest-cloudwatch", daemon=True)

    def __enter__(self) -> Telemetry:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def hurry(self) -> None:
        """Wait no longer for what is late."""
        self._hurried.set()

    def look(self, from_s: float | None = None) -> None:
        """Ask once. from_s: epoch seconds; None: for the last quarter of an hour."""
        with self._lock:
            now_s = self._clock()
            begin_s = max(self._since_s, now_s - BACK_S) if from_s is None else from_s
            for extended in (False, True):
                if self._fails[extended] < ENOUGH:
                    self._ask(begin_s, now_s, extended)
            self._keep(KEPT_AS, self._document())

    def completed(self, result: RunResult, say: Callable[[str], object] | None = None) -> RunResult:
        """The result with all of it. Blocks until the points are there, `wait_s` are over or somebody hurries.

        say: in place of the former one, which may be gone with the run.
        """
        self._say = say or self._say
        began_s = self._clock()
        until_s = began_s + self._wait_s
        self.look()
        missing = self._missing(result)
        if missing and self._fails[False] < ENOUGH:
            self._say(f"waiting for CloudWatch's last points, {self._wait_s:.0f} s at most")
        while missing and self._fails[False] < ENOUGH and self._clock() < until_s:
            if self._pause(min(LOOK_S, max(0.0, until_s - self._clock()))):
                break
            self.look(min(missing))
            missing = self._missing(result)
        log = error_lines(self._clients, self._place.log_group, minutes_with_errors(result))
        told = {"waited_s": round(self._clock() - began_s, 1), "missing": missing, "log": log}
        document = {**self._document(), **told}
        self._keep(KEPT_AS, document)
        return judged_by_model(replace(result, cloudwatch=document))

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self.look()

    def _missing(self, result: RunResult) -> list[float]:
        if result.started_at is None:
            return []
        absent = unpublished(self._document(), result.plan, result.windows, result.started_at, result.stopped_at_s)
        return [at for at, _ in absent]

    def _ask(self, from_s: float, now_s: float, extended: bool) -> None:
        try:
            answer = ask(self._clients, self._place, from_s, now_s, extended=extended)
        except (*UNANSWERED, TargetError) as problem:
            self._fail(problem, extended)
            return
        self._problems.pop(extended, None)
        self._fails[extended] = 0
        self._offset_s = answer.offset_s if answer.offset_s is not None else self._offset_s
        for key, of_key in answer.points.items():
            for at, values in of_key.items():
                self._points.setdefault(key, {}).setdefault(at, {}).update(values)

    def _fail(self, problem: Exception, extended: bool) -> None:
        words = " ".join(aws_words(problem).split())[:LONGEST_WORDS]
        self._fails[extended] += 1
        if is_forbidden(problem):
            self._fails = {False: ENOUGH, True: ENOUGH}
            self._problems = {False: f"AWS does not permit cloudwatch:GetMetricData: {words}"}
            self._say(self._problems[False])
        elif extended:
            # Some servers know the plain statistics alone, and answer all else with an error.
            self._problems[True] = f"no percentiles and counts, CloudWatch did not answer for them: {words}"
        else:
            self._problems[False] = f"CloudWatch did not answer: {words}"

    def _document(self) -> dict[str, Any]:
        place = self._place
        return {
            "schema_version": SCHEMA_VERSION,
            "endpoint": place.endpoint,
            "region": self._clients.region,
            "period_s": {"invocations": place.invocations_s, "instances": place.instances_s},
            "fetched_at": round(self._clock(), 3),
            "clock_offset_s": self._offset_s,
            "series": [
                {
                    "metric": metric.name,
                    "namespace": metric.namespace,
                    "unit": metric.unit,
                    "dimensions": dimensions,
                    "points": [
                        {"at": at, **values}
                        for at, values in sorted(self._points.get((metric.name, variant), {}).items())
                    ],
                }
                for metric, variant, _, dimensions in place.series()
            ],
            "problems": [text for _, text in sorted(self._problems.items())],
        }
