"""Default jobs: which endpoints to try, and what is searched for. Pure.

AWS publishes neither its instance list nor its traffic, only that the load is raised until saturation or until 1 % of
the invocations fail, and that the figures are those "where the invocations curve first begins to level out" (developer
guide, interpret results; R1). `core/search/plateau_search.py` looks for that point.
"""

from __future__ import annotations

from dataclasses import replace

from loadtest.core.request.instance_types import BURSTABLE_PREFIX
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import (
    EndpointConfiguration,
    JobSpec,
    LoadTest,
    Profile,
    RunOptions,
    Serverless,
)
from loadtest.jobs.fleet_file import FleetFile, SearchPlan
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.ranking import MAX_RECOMMENDATIONS

__all__ = ["default_tests", "search_of", "search_options"]

MAX_ERROR_RATIO = 0.01  # "or when 1 % of InvokeEndpoint calls fail"
LEAST_LEVELS = 4  # of the time that one takes: to find a plateau at all


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


def search_of(plan: SearchPlan) -> SearchSettings:
    """The search for the plateau, within the fleet file's bounds.

    From its fewest to its most users, no load longer at a time than its levels, and no longer than them all together.
    """
    return SearchSettings(
        goal="plateau",
        max_error_ratio=MAX_ERROR_RATIO,
        start=float(plan.users[0]),
        max_load=float(plan.users[-1]),
        level_s=plan.level_s,
        budget_s=max(len(plan.users) * plan.level_s, LEAST_LEVELS * plan.level_s),
    )


def search_options(plan: SearchPlan, options: RunOptions = RunOptions()) -> RunOptions:
    """The rate window is no longer than a load is held."""
    return replace(options, rate_window_s=min(options.rate_window_s, plan.level_s), max_error_ratio=MAX_ERROR_RATIO)
