"""Run SageMaker's CreateInferenceRecommendationsJob load tests anywhere, for real.

Importing this loads nothing heavy, patches nothing and starts nothing; a name loads its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loadtest.version import VERSION as __version__

if TYPE_CHECKING:
    from loadtest.api import Run, load, parse, plan, run, simulate, start
    from loadtest.capacity_api import capacity
    from loadtest.core.measure.outcome import Kind, Outcome
    from loadtest.core.measure.window import Window
    from loadtest.core.request.spec import JobSpec, RunOptions
    from loadtest.core.result.result import RunResult
    from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef
    from loadtest.errors import EngineError, LoadtestError, Problem, SpecError, TargetError
    from loadtest.recommendation.job import Recommendation, recommend
    from loadtest.targets.base import Payload, Target

_HOMES = {
    "EngineError": "loadtest.errors",
    "JobSpec": "loadtest.core.request.spec",
    "Kind": "loadtest.core.measure.outcome",
    "LoadtestError": "loadtest.errors",
    "Outcome": "loadtest.core.measure.outcome",
    "Payload": "loadtest.targets.base",
    "PayloadSource": "loadtest.core.traffic.plan",
    "Plan": "loadtest.core.traffic.plan",
    "Problem": "loadtest.errors",
    "Recommendation": "loadtest.recommendation.job",
    "Run": "loadtest.engine.parent.spawn",
    "RunOptions": "loadtest.core.request.spec",
    "RunResult": "loadtest.core.result.result",
    "SpecError": "loadtest.errors",
    "Target": "loadtest.targets.base",
    "TargetError": "loadtest.errors",
    "TargetRef": "loadtest.core.traffic.plan",
    "Window": "loadtest.core.measure.window",
    "capacity": "loadtest.capacity_api",
    "load": "loadtest.api",
    "parse": "loadtest.api",
    "plan": "loadtest.api",
    "recommend": "loadtest.recommendation.job",
    "run": "loadtest.api",
    "simulate": "loadtest.api",
    "start": "loadtest.api",
}

__all__ = [
    "EngineError",
    "JobSpec",
    "Kind",
    "LoadtestError",
    "Outcome",
    "Payload",
    "PayloadSource",
    "Plan",
    "Problem",
    "Recommendation",
    "Run",
    "RunOptions",
    "RunResult",
    "SpecError",
    "Target",
    "TargetError",
    "TargetRef",
    "Window",
    "__version__",
    "capacity",
    "load",
    "parse",
    "plan",
    "recommend",
    "run",
    "simulate",
    "start",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'loadtest' has no attribute {name!r}")
