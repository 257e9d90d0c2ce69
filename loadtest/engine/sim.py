"""A load test in virtual time: the same plan, recorder, curve and controller, with a function as the endpoint.

Nothing waits: the next completion is always known, so an hour of traffic takes as long as its requests take to compute
(a few microseconds each). A network and a busy generator add nothing here: latencies are the endpoint's own.
No clock, no sockets; a run with the same plan and server gives the same windows, always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.latency import LatencyModel
from loadtest.endpoint.samples import read_samples
from loadtest.endpoint.settings import MockSettings
from loadtest.endpoint.shared import SharedModel
from loadtest.engine.open_simulation import OpenSimulation
from loadtest.engine.simulation import Server, Simulation, VirtualRun
from loadtest.errors import Problem, SpecError

__all__ = ["Server", "VirtualRun", "run_virtual", "server_of", "simulate"]


def simulate(
    plan: Plan,
    *,
    on_window: Callable[[Window], None] | None = None,
    **labels: Any,
) -> RunResult:
    """Run `plan`, whose target is a `mock:` reference, in virtual time.

    on_window: called with each window; what it raises ends the run. labels: what `build_result` takes besides (job,
    label, info, not_run, problems). Raises SpecError if the target is not a mock.
    """
    run = run_virtual(plan, server_of(plan.target), on_window=on_window)
    return build_result(
        plan,
        run.windows,
        run.stop,
        starts=run.changes,
        stopped_at_s=run.stopped_at_s,
        **labels,
    )


def server_of(target: TargetRef) -> Server:
    """The model of a `mock:` reference. Raises SpecError if it is another one, or wrong.

    The option `variants`, [weight, reference] pairs, is of an endpoint whose production variants share its requests.
    """
    if not target.is_mock:
        rule = "only the model of a mock endpoint can be run in virtual time"
        raise SpecError([Problem("target", target.ref, rule, "give mock:servers=4,service_ms=20 or the like")])
    shares = target.options.get("variants")
    if shares:
        models = [(weight, _model(ref)) for weight, ref in shares]
        return SharedModel(models, models[0][1].settings.seed).arrive
    return _model(target.rest).arrive


def _model(ref: str) -> LatencyModel:
    settings = MockSettings.parse(ref)
    return LatencyModel(settings, read_samples(settings.samples) if settings.samples else ())


def run_virtual(plan: Plan, server: Server, *, on_window: Callable[[Window], None] | None = None) -> VirtualRun:
    """Run `plan` against any function of time; on_window as for `simulate`."""
    kind = Simulation if plan.arrivals is None else OpenSimulation
    return kind(plan, server, on_window or (lambda window: None)).run()
