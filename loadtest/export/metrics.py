"""The metrics of a run so far, as one value that its windows make. No clock, no I/O.

What is exported is this and nothing else, under the same names everywhere. OpenTelemetry's are dotted and have a unit
beside them; Prometheus makes the names of the first column of them by itself.

    loadtest_request_duration_seconds    loadtest.request.duration      histogram   successes, by the client's clock
    loadtest_requests_total              loadtest.requests              counter     completions by outcome and kind
    loadtest_users                       loadtest.users                 gauge       running at the last window's end
    loadtest_users_planned               loadtest.users_planned         gauge       at its start
    loadtest_in_flight                   loadtest.in_flight             gauge       requests, its mean
    loadtest_schedule_lag_seconds        loadtest.schedule_lag          gauge       the latest start of a user in it
    loadtest_level                       loadtest.level                 gauge       of the curve, counted from 0
    loadtest_verdict                     loadtest.verdict               gauge       1 for the state that holds
    loadtest_trust_valid                 loadtest.trust_valid           gauge       1: nothing speaks against it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from loadtest.core.measure.counts import Counts
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.result.result import RunResult

__all__ = ["DURATION", "FAMILIES", "REQUESTS", "STATES", "Family", "Labels", "Metrics", "Point"]

STATES = ("met", "not met", "undecided")
FAILURES = tuple(kind.value for kind in Kind if kind is not Kind.OK)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. name: without namespace and suffix. unit: of OpenTelemetry (UCUM). suffix: what Prometheus adds."""

    name: str
    kind: Literal["histogram", "counter", "gauge"]
    unit: str
    suffix: str
    text: str

    @property
    def dotted(self) -> str:
        """OpenTelemetry's name."""
        return f"loadtest.{self.name}"

    @property
    def flat(self) -> str:
        """Prometheus's name."""
        return f"loadtest_{self.name.replace('.', '_')}{self.suffix}"


DURATION = Family(
    "request.duration", "histogram", "s", "_seconds", "Latency of the requests that succeeded, by the client's clock"
)
REQUESTS = Family("requests", "counter", "{request}", "_total", "Requests that ended, by outcome and kind of failure")
USERS = Family("users", "gauge", "{user}", "", "Users that are running")
PLANNED = Family("users_planned", "gauge", "{user}", "", "Users that were planned for this moment")
IN_FLIGHT = Family("in_flight", "gauge", "{request}", "", "Mean number of requests in flight in the last window")
LAG = Family("schedule_lag", "gauge", "s", "_seconds", "How late the latest user of the last window started")
LEVEL = Family("level", "gauge", "", "", "Level of the traffic curve that the run is in, counted from 0")
VERDICT = Family("verdict", "gauge", "", "", "1 for the state of the latency threshold that holds, else 0")
TRUST = Family("trust_valid", "gauge", "", "", "1: nothing speaks against the figures; 0: something does")
FAMILIES = (DURATION, REQUESTS, USERS, PLANNED, IN_FLIGHT, LAG, LEVEL, VERDICT, TRUST)


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a family with the labels that it has besides the run's own."""

    family: Family
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Labels:
    """What every metric of a run carries. testid: the run's own name. endpoint, variant: what is tested; "": none."""

    testid: str
    endpoint: str = ""
    variant: str = ""

    def named(self) -> dict[str, str]:
        return {"testid": self.testid, "endpoint": self.endpoint, "variant": self.variant}


@dataclass(frozen=True, slots=True)
class Metrics:
    """A run so far. A window makes the next value of it (`after`), the result the last one (`ended`).

    facts: what the target told of itself (`target_url`). threshold: of latency; None: the job has none.
    counts, duration: of all windows, the draining included; duration is the client's latency of the successes.
    level: None: no window lay in one yet. state: one of STATES; while the run goes, of the level that it is in, then of
    the whole run; None: nothing is judged. trusted: None: not known yet.
    """

    labels: Labels
    threshold: LatencyThreshold | None = None
    facts: Mapping[str, str] | None = None
    counts: Counts = Counts()
    duration: Histogram | None = None
    running: int = 0
    planned: int = 0
    in_flight: float = 0.0
    lag_s: float = 0.0
    level: int | None = None
    state: str | None = None
    trusted: bool | None = None

    def after(self, window: Window, progress: Mapping[str, Any], *, trusted: bool) -> Metrics:
        """With one more window. progress: as a controller tells it. trusted: nothing speaks against the run so far."""
        duration = Histogram.decode(window.latencies.client.encoded)
        if self.duration is not None:
            duration.add(self.duration)
        latency = progress.get("latency")
        return replace(
            self,
            counts=replace(self.counts + window.counts, over_batches=()),
            duration=duration,
            running=window.load.running,
            planned=window.load.users,
            in_flight=window.load.in_flight,
            lag_s=window.health.spawn_lag_max_s,
            level=self.level if window.level is None else window.level,
            state=latency["verdict"] if isinstance(latency, Mapping) else self.state,
            trusted=trusted,
        )

    def ended(self, result: RunResult) -> Metrics:
        """After the end: nothing runs any more, and verdict and trust are the whole run's."""
        state = None if result.overall is None else result.overall.answer
        rest = {"running": 0, "planned": 0, "in_flight": 0.0, "lag_s": 0.0}
        return replace(self, **rest, state=state, trusted=result.trust.valid)  # type: ignore[arg-type]

    def requests(self) -> Iterator[Point]:
        """Completions. Each kind of failure is there from the start: a rate needs the 0 before the 1."""
        yield Point(REQUESTS, self.counts.ok, {"outcome": "ok", "error_type": ""})
        for kind in FAILURES:
            failed = self.counts.errors.get(kind, 0)
            yield Point(REQUESTS, failed, {"outcome": "error", "error_type": kind})

    def gauges(self) -> Iterator[Point]:
        """What is known of the gauges."""
        yield Point(USERS, self.running, {})
        yield Point(PLANNED, self.planned, {})
        yield Point(IN_FLIGHT, self.in_flight, {})
        yield Point(LAG, self.lag_s, {})
        if self.level is not None:
            yield Point(LEVEL, self.level, {})
        if self.threshold is not None:
            named = f"{self.threshold.name} {self.threshold.limit_ms:g} ms"
            for state in STATES:
                yield Point(VERDICT, int(state == self.state), {"threshold": named, "state": state})
        if self.trusted is not None:
            yield Point(TRUST, int(self.trusted), {})

    def since(self, earlier: Metrics) -> Metrics:
        """With the counts that came after `earlier`, a value of the same run."""
        duration = Histogram()
        duration.add(self.duration or Histogram())
        if earlier.duration is not None:
            duration.counts -= earlier.duration.counts
        return replace(
            self,
            duration=duration,
            counts=Counts(
                ok=self.counts.ok - earlier.counts.ok,
                errors=_less(self.counts.errors, earlier.counts.errors),
                details=_less(self.counts.details, earlier.counts.details),
                latency_sum_s=self.counts.latency_sum_s - earlier.counts.latency_sum_s,
            ),
        )


def _less(counts: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    # A detail may have been moved to "(others)" since.
    return {name: n for name, before in counts.items() if (n := max(0, before - earlier.get(name, 0)))}
