"""The plan that goes down to an engine: JSON values only, since a child process reads it on its stdin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from typing import Any

from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import LatencyClock, LatencyThreshold, RunOptions, StopConditions
from loadtest.core.traffic.arrivals import Arrivals, most_in_flight
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.errors import Problem, SpecError

PRIVATE_OPTIONS = ("custom_attributes", "inference_id", "session_id")
NOT_KEPT = "(given, not kept)"

__all__ = ["SCHEMES", "PayloadSource", "Plan", "TargetRef", "open_plan", "search_plan"]

SCHEMES = ("mock", "sagemaker", "boto3", "http", "https", "null")  # of the built-in targets; any other is a plug-in's


@dataclass(frozen=True, slots=True)
class TargetRef:
    """What `open_target` opens.

    ref: `mock:servers=4`, `sagemaker:NAME`, `boto3:NAME`, `http://host:port/path`, `package.module:Name`.
    options: region, profile, endpoint_url, target_variant, target_model, inference_component_name,
        custom_attributes, accept, ..., connect_timeout_s, read_timeout_s, ca_file, stream, strict_http: what the CLI
        or a scenario gives besides the ref. Never credentials.
    """

    ref: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        """What stands before the first colon: one of SCHEMES, in lower case, or the name of a plug-in as it is."""
        head = self.ref.partition(":")[0]
        return head.lower() if head.lower() in SCHEMES else head

    @property
    def rest(self) -> str:
        """What follows the first colon: an endpoint's name, a mock's settings, ..."""
        return self.ref.partition(":")[2]

    @property
    def is_mock(self) -> bool:
        """Whoever runs the plan starts the endpoint."""
        return self.scheme == "mock"

    @property
    def sends_payload(self) -> bool:
        """A mock answers whatever it is sent, and the null target sends nothing."""
        return self.scheme not in ("mock", "null")


@dataclass(frozen=True, slots=True)
class PayloadSource:
    """Where request bodies come from.

    path: a file, a folder or an archive, or the s3:// or https:// address of one, which whoever runs the plan fetches;
        None: one built-in JSON body.
    """

    path: str | None = None
    content_type: str = "application/json"

    @property
    def is_remote(self) -> bool:
        """It has to be fetched."""
        return self.path is not None and self.path.startswith(("s3://", "https://"))


@dataclass(frozen=True, slots=True)
class Plan:
    """One load test, complete: whoever holds it can run it.

    curve: how many users at which time. limit_s: hard end of the traffic, seconds from start (T10);
        None: the curve's end is the end. workers: generator processes.
    arrivals: requests are sent at their own times (an open workload), and the curve is the limit of requests in flight;
        None: the curve's users send one after another (a closed one). `open_plan` makes the former of the latter.
    search: the load is not planned: a search moves it, from the curve's first step on, until its end at the latest;
        None: the curve, or the arrivals, are all there is.
    """

    curve: TrafficCurve
    stop: StopConditions
    target: TargetRef
    payload: PayloadSource = PayloadSource()
    options: RunOptions = RunOptions()
    limit_s: float | None = None
    workers: int = 1
    arrivals: Arrivals | None = None
    search: SearchSettings | None = None

    @property
    def end_s(self) -> float:
        """When traffic ends at the latest."""
        return self.curve.end_s if self.limit_s is None else min(self.curve.end_s, self.limit_s)

    @property
    def peak(self) -> int:
        """The most users, or requests in flight, at any time; of a search, the most that it may come to."""
        if self.search is None or self.arrivals is not None:
            return self.curve.peak
        return max(self.curve.peak, round(self.search.max_load))

    @property
    def unmoved(self) -> Plan:
        """A search's plan as it was before its first move."""
        if self.arrivals is not None:
            return replace(self, arrivals=replace(self.arrivals, steps=()))
        return replace(self, curve=replace(self.curve, steps=self.curve.steps[:1]))

    @property
    def moves(self) -> tuple[tuple[float, float], ...]:
        """(at_s, load) of a search so far; () without one."""
        if self.search is None:
            return ()
        if self.arrivals is not None:
            return self.arrivals.steps
        return tuple((step.at_s, float(step.users)) for step in self.curve.steps[1:])

    @property
    def threshold(self) -> LatencyThreshold | None:
        """What a verdict is about. A search goes beyond its limit on purpose, and has tests of its own: None."""
        return self.stop.latency if self.search is None else None

    def moved(self, at_s: float, load: float) -> Plan:
        """With the load `load` from `at_s` on, after what was held before: the curve of a search grows by such steps.

        A move that would fall on the traffic's end, or after it, does not happen.
        """
        if at_s >= self.end_s:
            return self
        if self.arrivals is not None:
            steps = (*self.arrivals.steps, (at_s, load))
            return replace(self, arrivals=replace(self.arrivals, steps=steps))
        return replace(self, curve=replace(self.curve, steps=(*self.curve.steps, Step(at_s, round(load)))))

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        if self.search is None:
            if self.arrivals is not None:
                del values["arrivals"]["steps"]
            del values["search"]  # a plan without a search is the plan, and has the digest, that it always had
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`, also after a trip through JSON."""
        curve, stop = values["curve"], values["stop"]
        latency = stop["latency"]
        return cls(
            curve=TrafficCurve(tuple(Step(**step) for step in curve["steps"]), curve["end_s"]),
            stop=StopConditions(**{**stop, "latency": latency and LatencyThreshold(**latency)}),
            target=TargetRef(**values["target"]),
            payload=PayloadSource(**values["payload"]),
            options=RunOptions(**values["options"]),
            limit_s=values["limit_s"],
            workers=values["workers"],
            arrivals=Arrivals.from_dict(values["arrivals"]) if values.get("arrivals") else None,
            search=SearchSettings.from_dict(values["search"]) if values.get("search") else None,
        )

    def shown(self) -> dict[str, Any]:
        """`to_dict` for files that people share: without the headers that may say who or what a request is for."""
        values = self.to_dict()
        options = values["target"]["options"]
        if self.payload.path is not None and self.payload.path.startswith("https://"):
            values["payload"]["path"] = self.payload.path.partition("?")[0]  # there may be a signature in it
        options |= {name: NOT_KEPT for name in PRIVATE_OPTIONS if options.get(name) is not None}
        return values

    def digest(self) -> str:
        """Hex SHA-256 of the plan's canonical JSON: two processes with the same digest run the same test."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def search_plan(plan: Plan, search: SearchSettings) -> Plan:
    """`plan` with a search in place of its traffic: its objectives and its budget take the place of what ends it."""
    first = next(iter(search.objectives), None)
    # Windows count what is over this limit; the search itself counts by its own, in the windows' histograms.
    latency = None if first is None else LatencyThreshold(first.percentile, ceil(first.limit_ms))
    made = replace(plan, stop=StopConditions(latency=latency, flat_stops=False), limit_s=None, search=search)
    if search.by == "rate":
        arrivals = Arrivals(search.start, search.budget_s, seed=plan.options.seed)
        return open_plan(made, arrivals, max(most_in_flight(search.max_load), plan.workers))
    return replace(made, curve=TrafficCurve((Step(0.0, round(search.start)),), search.budget_s))


def open_plan(plan: Plan, arrivals: Arrivals, in_flight_limit: int | None = None) -> Plan:
    """`plan` with `arrivals` in place of its users, the same in all else; they end it, not the end of its curve.

    in_flight_limit: of requests at once, 1 or more; one more is dropped. None: `most_in_flight` of the rate.
    Latencies are judged on the client's clock, from the intended time on, unless the model's was asked for: what a
    request waits before it is sent is no part of the endpoint's own time. Flat throughput ends nothing, since the rate
    is constant. Raises SpecError for a limit below the number of workers, which share it.
    """
    limit = max(most_in_flight(arrivals.rate_per_s), plan.workers) if in_flight_limit is None else in_flight_limit
    if limit < plan.workers:
        rule = f"must be at least the number of workers ({plan.workers}): each sends, within its share of the limit"
        raise SpecError([Problem("--max-in-flight", str(limit), rule)])
    clock: LatencyClock = "model" if plan.options.latency_clock == "model" else "client"
    return replace(
        plan,
        curve=TrafficCurve((Step(0.0, limit),), arrivals.duration_s),
        stop=replace(plan.stop, flat_stops=False),
        options=replace(plan.options, latency_clock=clock),
        arrivals=arrivals,
    )
