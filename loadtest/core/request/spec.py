"""What a job asks for, in our own names: the typed form of a CreateInferenceRecommendationsJob request.

Values only; no clock, no I/O. `core.request.parse` is the only place that knows AWS's member names.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from loadtest.errors import Problem

__all__ = [
    "EndpointConfiguration",
    "JobSpec",
    "LatencyClock",
    "LatencyThreshold",
    "LoadTest",
    "Phase",
    "Profile",
    "RunOptions",
    "Serverless",
    "SpawnReading",
    "Stairs",
    "StairsReading",
    "StopConditions",
    "Traffic",
]

Profile = Literal["aws", "relaxed"]
SpawnReading = Literal["smooth", "per-minute"]
StairsReading = Literal["total", "per-step"]
LatencyClock = Literal["auto", "client", "model"]


@dataclass(frozen=True, slots=True)
class Phase:
    """One entry of TrafficPattern.Phases. `initial_users` is the absolute count at the phase's start (T4)."""

    initial_users: int
    spawn_rate_per_min: int
    duration_s: int


@dataclass(frozen=True, slots=True)
class Stairs:
    """TrafficPattern.Stairs. `duration_s` is total or per step, as RunOptions.stairs_duration reads it (T6)."""

    users_per_step: int
    steps: int
    duration_s: int


Traffic = tuple[Phase, ...] | Stairs


@dataclass(frozen=True, slots=True)
class LatencyThreshold:
    """ModelLatencyThresholds[0]: the percentile (0.95 or 0.99; any in `relaxed`) may be at most `limit_ms`."""

    percentile: float
    limit_ms: int

    @property
    def name(self) -> str:
        """As the API writes it: P95, P99."""
        return f"P{self.percentile * 100:g}"

    @property
    def limit_ns(self) -> int:
        return self.limit_ms * 1_000_000


@dataclass(frozen=True, slots=True)
class StopConditions:
    """When a load test ends before its traffic does.

    max_invocations_per_min: a rate of successes (S1); None: no such condition.
    latency: None: no such condition.
    flat_stops: FlatInvocations is Stop (the default), not Continue.
    max_error_ratio: failures / all over which the test stops; None: never (S7).
    """

    max_invocations_per_min: int | None = None
    latency: LatencyThreshold | None = None
    flat_stops: bool = True
    max_error_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Serverless:
    """ServerlessConfig of an endpoint configuration."""

    memory_mb: int
    max_concurrency: int
    provisioned_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class EndpointConfiguration:
    """One entry of InputConfig.EndpointConfigurations.

    environment_ranges: (name, values) pairs in the order given; the tests are their product (T11). A value that is
    given twice counts once.
    """

    instance_type: str | None = None
    serverless: Serverless | None = None
    inference_specification: str | None = None
    environment_ranges: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def combinations(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Every environment, as (name, value) pairs; one empty environment if there are no ranges."""
        names = [name for name, _ in self.environment_ranges]
        values = [dict.fromkeys(values) for _, values in self.environment_ranges]
        return tuple(tuple(zip(names, combination, strict=True)) for combination in product(*values))


@dataclass(frozen=True, slots=True)
class LoadTest:
    """One test of a job: an existing endpoint, or one configuration with one environment."""

    index: int
    endpoint_name: str | None = None
    configuration: EndpointConfiguration | None = None
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def same_as(self) -> Hashable:
        """Equal of tests that test the same thing, however often and in whichever order a job names it."""
        configuration = self.configuration
        if configuration is None:
            return self.endpoint_name
        hardware = configuration.instance_type, configuration.serverless, configuration.inference_specification
        return hardware, tuple(sorted(self.environment))

    @property
    def label(self) -> str:
        """Short name for tables: `my-endpoint`, `ml.c5.xlarge OMP_NUM_THREADS=2`, `serverless 2048 MB x 5`."""
        if self.endpoint_name is not None:
            return self.endpoint_name
        configuration = self.configuration
        if configuration is None:
            return "default"
        if configuration.serverless is not None:
            server = configuration.serverless
            head = f"serverless {server.memory_mb} MB x {server.max_concurrency}"
        else:
            head = configuration.instance_type or "default"
        return " ".join([head, *(f"{name}={value}" for name, value in self.environment)])


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job request, checked and normalised; made by `core.parse.parse_job` only.

    traffic: None for Default jobs.
    duration_s: JobDurationInSeconds, the hard limit of the whole job; None: none was given.
    max_tests, max_parallel_tests: ResourceLimit; None: not given.
    sample_payload_url, content_type: of ContainerConfig.PayloadConfig (the first content type).
    request: the request as received (a plain dict, never changed); not compared.
    warnings: what the `relaxed` profile let through; not compared.
    """

    name: str
    job_type: Literal["Default", "Advanced"]
    role_arn: str
    traffic: Traffic | None = None
    stop: StopConditions = StopConditions()
    configurations: tuple[EndpointConfiguration, ...] = ()
    endpoints: tuple[str, ...] = ()
    model_package_arn: str | None = None
    model_name: str | None = None
    duration_s: int | None = None
    max_tests: int | None = None
    max_parallel_tests: int | None = None
    sample_payload_url: str | None = None
    content_type: str | None = None
    request: Mapping[str, Any] = field(default_factory=dict, compare=False)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    def tests(self) -> tuple[tuple[LoadTest, ...], tuple[LoadTest, ...]]:
        """(tests that run, tests over MaxNumberOfTests that do not), in the order of T11: endpoints first.

        What a job names twice is tested once.
        """
        every: dict[Hashable, LoadTest] = {}
        for name in self.endpoints:
            every.setdefault(name, LoadTest(len(every), endpoint_name=name))
        for configuration in self.configurations:
            for environment in configuration.combinations():
                test = LoadTest(len(every), configuration=configuration, environment=environment)
                every.setdefault(test.same_as, test)
        return self.within_limit(tuple(every.values()))

    def within_limit(self, tests: tuple[LoadTest, ...]) -> tuple[tuple[LoadTest, ...], tuple[LoadTest, ...]]:
        """(the first MaxNumberOfTests of these, the rest)."""
        limit = len(tests) if self.max_tests is None else self.max_tests
        return tests[:limit], tests[limit:]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a job is read and run where the API leaves room; echoed in every result under `effective`.

    window_s: length of one measuring window. drain_s: how long requests in flight may take after a stop (S8).
    rate_window_s: the rolling window of MaxInvocations (S1). seed: of everything drawn at random.
    log_requests: share of requests, 0..1, that are kept one by one; 0: none.
    """

    spawn: SpawnReading = "smooth"
    stairs_duration: StairsReading = "total"
    latency_clock: LatencyClock = "auto"
    window_s: float = 1.0
    drain_s: float = 60.0
    rate_window_s: float = 60.0
    max_error_ratio: float | None = None
    seed: int = 1
    log_requests: float = 0.0
