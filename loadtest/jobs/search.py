"""Default jobs: which endpoints to try, how to raise the load, at which point of the curve to read the result. Pure.

AWS publishes neither its instance list nor its traffic, only that the load is raised until saturation or until 1 % of
the invocations fail, and that the figures are those "where the invocations curve first begins to level out" (developer
guide, interpret results; R1).
"""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.core.measure.levels import LevelResult
from loadtest.core.request.instance_types import BURSTABLE_PREFIX
from loadtest.core.request.spec import (
    EndpointConfiguration,
    JobSpec,
    LoadTest,
    Profile,
    RunOptions,
    Serverless,
    StopConditions,
)
from loadtest.core.stats import plateau
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.jobs.fleet_file import FleetFile, SearchPlan
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.ranking import MAX_RECOMMENDATIONS

__all__ = ["default_tests", "plateau_start", "search_curve", "search_options", "search_stop"]

MAX_ERROR_RATIO = 0.01  # "or when 1 % of InvokeEndpoint calls fail"


def default_tests(
    spec: JobSpec, facts: ModelFacts, file: FleetFile, profile: Profile = "aws"
) -> tuple[tuple[LoadTest, ...], tuple[LoadTest, ...]]:
    """(tests of a Default job, those over MaxNumberOfTests): existing endpoints first, then the job's own
    configurations, or if it gives none at most ten candidates for its model. Without a model only the endpoints.
    """
    given, over_limit = spec.tests()
    if spec.configurations or (spec.model_name is None and spec.model_package_arn is None):
        return given, over_limit
    candidates = _candidates(spec, facts, file, profile)[:MAX_RECOMMENDATIONS]
    first = len(spec.endpoints)
    tests = [LoadTest(first + i, configuration=configuration) for i, configuration in enumerate(candidates)]
    return spec.within_limit((*given, *over_limit, *tests))


def _candidates(spec: JobSpec, facts: ModelFacts, file: FleetFile, profile: Profile) -> list[EndpointConfiguration]:
    """SupportedEndpointType picks instances, serverless endpoints or, if absent, both (a combined list)."""
    container = spec.request.get("InputConfig", {}).get("ContainerConfig") or {}
    kind = container.get("SupportedEndpointType")
    configurations: list[EndpointConfiguration] = []
    if kind != "Serverless":
        types = facts.instance_types or file.candidates_for(facts)
        # A package lists what its model runs on; that load is not tested on burstable types is the recommender's rule.
        tested = [name for name in types if profile != "aws" or not name.startswith(BURSTABLE_PREFIX)]
        configurations.extend(EndpointConfiguration(instance_type=name) for name in dict.fromkeys(tested))
    # A list of instance types restricts the job to them, unless it asks for serverless in so many words.
    if kind == "Serverless" or (kind is None and not facts.instance_types):
        server = file.serverless
        configurations.extend(
            EndpointConfiguration(serverless=Serverless(memory_mb, server.max_concurrency))
            for memory_mb in server.memory_sizes_mb
        )
    return configurations


def search_curve(plan: SearchPlan) -> TrafficCurve:
    """The load, raised by steps."""
    steps = tuple(Step(i * plan.level_s, users) for i, users in enumerate(plan.users))
    return TrafficCurve(steps, len(steps) * plan.level_s)


def search_stop() -> StopConditions:
    """A search ends at the plateau or at 1 % failures."""
    return StopConditions(flat_stops=True, max_error_ratio=MAX_ERROR_RATIO)


def search_options(plan: SearchPlan, options: RunOptions = RunOptions()) -> RunOptions:
    """The rate window is a level long, so that every level has a full one."""
    return RunOptions(
        latency_clock=options.latency_clock,
        window_s=options.window_s,
        rate_window_s=min(options.rate_window_s, plan.level_s),
        max_error_ratio=MAX_ERROR_RATIO,
        seed=options.seed,
    )


def plateau_start(levels: Sequence[LevelResult]) -> LevelResult | None:
    """The level at which the invocations curve first begins to level out.

    That is where the plateau begins (`core.stats.plateau`); the last good one if there is none. Levels that were hardly
    reached or had more than 1 % failures are no results. None: there is no such level.
    """
    good = [level for level in levels if _usable(level)]
    if not good:
        return None
    start = plateau.plateau_start([(level.users, level.throughput_per_s or 0.0) for level in good])
    return good[-1 if start is None else start]


def _usable(level: LevelResult) -> bool:
    if not level.ok or level.measured_s < 0.5 * (level.plan.end_s - level.plan.start_s):
        return False
    return level.errors <= MAX_ERROR_RATIO * (level.ok + level.errors)
