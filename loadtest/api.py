"""The verbs for programs that embed `loadtest`: parse, plan, start, run, simulate, load.

    import loadtest
    run = loadtest.start(job, target="sagemaker:my-endpoint", on_window=print)
    result = run.result()

A `job` is a CreateInferenceRecommendationsJob request as a dict, a `JobSpec`, or the path of a JSON or YAML file.
The calling program stays as it is: gevent and Locust live in processes of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import Step, TrafficCurve, curve_of
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef, open_plan
from loadtest.engine import sim
from loadtest.engine.parent import spawn
from loadtest.engine.parent.spawn import Run
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.jobfile import ScenarioOptions, load_job
from loadtest.report.recovery import read_run

__all__ = ["Job", "Run", "load", "parse", "plan", "run", "simulate", "start"]

Job = Mapping[str, Any] | JobSpec | str | os.PathLike[str]

DEFAULT_CONTENT_TYPE = "application/json"
_ONE_USER = TrafficCurve((Step(0.0, 1),), 1.0)  # of a Default job, where arrivals take the place of users


def parse(job: Job, *, profile: Profile = "relaxed") -> JobSpec:
    """Check a job and give its typed form.

    profile: "aws" refuses what the service or its documents refuse; "relaxed" lets through, as warnings, the bounds
    that only protect AWS's own capacity. Raises SpecError with every problem.
    """
    return _read(job, profile)[0]


def plan(
    job: Job,
    *,
    target: str | TargetRef | None = None,
    payload: str | os.PathLike[str] | None = None,
    content_type: str | None = None,
    options: RunOptions | None = None,
    workers: int = 1,
    profile: Profile = "relaxed",
    arrivals: Arrivals | None = None,
    in_flight_limit: int | None = None,
    allow_plugins: Collection[str] = (),
    payload_root: str = "",
) -> Plan:
    """The load test of a job, ready to run.

    target: what to send the traffic to, as `TargetRef.ref`; None: the scenario's, else the job's own endpoint.
    payload: a file, folder or archive of request bodies; None: the scenario's, else one small JSON document.
    content_type: None: the scenario's, else the job's first SupportedContentTypes, else application/json.
    options: how ambiguous fields are read and how it is measured; None: the scenario's.
    arrivals: an open workload in place of the job's traffic, with at most `in_flight_limit` requests at once; None: the
        job's own users, and the default limit (see `open_plan`).
    allow_plugins, payload_root: what a job *file* may name besides built-in targets and its own folder's files: plug-in
        targets by reference, and a folder that its payload may lie in.
    Raises SpecError with every problem, and if the job has no traffic or nothing says where to send it.
    """
    named = [*allow_plugins, *filter(None, [_ref_of(target)])]
    spec, scenario = _read(job, profile, named, payload_root)
    if spec.traffic is None and arrivals is None:
        raise SpecError(
            [
                Problem(
                    "InputConfig.TrafficPattern",
                    "",
                    "a Default job leaves the traffic to the recommender, so there is none to run",
                    "give it a TrafficPattern and JobType Advanced, or create it on `loadtest serve`",
                )
            ]
        )
    chosen = scenario.options if options is None else options
    ratio = chosen.max_error_ratio
    path = payload if payload is not None else scenario.payload_path
    made = Plan(
        curve=_ONE_USER if spec.traffic is None else curve_of(spec.traffic, chosen),
        stop=spec.stop if ratio is None else replace(spec.stop, max_error_ratio=ratio),
        target=_target(target, spec, scenario),
        payload=PayloadSource(
            path=None if path is None else os.fspath(path),
            content_type=content_type or scenario.content_type or spec.content_type or DEFAULT_CONTENT_TYPE,
        ),
        options=chosen,
        limit_s=spec.duration_s,
        workers=workers,
    )
    return made if arrivals is None else open_plan(made, arrivals, in_flight_limit)


def start(
    job: Job,
    *,
    on_window: Callable[[Window], None] | None = None,
    profile: Profile = "relaxed",
    **choices: Any,
) -> Run:
    """Start a job's load test and return at once, from any thread; several may run at the same time.

    on_window: called with each window, on a thread of the run's. choices: as for `plan`.
    Raises what `plan` raises; what fails later is raised by `Run.result`.
    """
    spec, _ = _read(job, profile, _allowed(choices), choices.get("payload_root", ""))
    call = None if on_window is None else (lambda window, _progress: on_window(window))
    return spawn.start(plan(job, profile=profile, **choices), on_window=call, job=dict(spec.request), label=spec.name)


def run(job: Job, **choices: Any) -> RunResult:
    """Run a job's load test to its end. Arguments and errors as for `start`."""
    return start(job, **choices).result()


def simulate(
    job: Job, *, on_window: Callable[[Window], None] | None = None, profile: Profile = "relaxed", **choices: Any
) -> RunResult:
    """The same test in virtual time, against the model of a `mock:` target: minutes in a second, no traffic at all.

    Arguments and errors as for `start`; SpecError if the target is not a mock.
    """
    spec, _ = _read(job, profile, _allowed(choices), choices.get("payload_root", ""))
    labels = {"job": dict(spec.request), "label": spec.name}
    return sim.simulate(plan(job, profile=profile, **choices), on_window=on_window, **labels)


def load(folder: str | os.PathLike[str]) -> RunResult:
    """The result in a run folder, as `run` returned it; its files are described in docs/schema/.

    A folder NAME.partial, whose writer died, gives what it got to write, with the reason ENGINE_LOST. Raises SpecError
    if the folder is none of ours, or of another schema version.
    """
    return read_run(folder)


def _allowed(choices: Mapping[str, Any]) -> list[str]:
    """Plug-ins that a job file may name: those that the caller names itself."""
    return [*choices.get("allow_plugins", ()), *filter(None, [_ref_of(choices.get("target"))])]


def _ref_of(target: str | TargetRef | None) -> str | None:
    return target.ref if isinstance(target, TargetRef) else target


def _read(
    job: Job, profile: Profile, plugins: Collection[str] = (), payload_root: str = ""
) -> tuple[JobSpec, ScenarioOptions]:
    if isinstance(job, JobSpec):
        return job, ScenarioOptions()
    if isinstance(job, (str, os.PathLike)):
        file, spec = load_job(os.fspath(job), profile, plugins=plugins, payload_root=payload_root)
        return spec, file.loadtest
    return parse_job(job, profile), ScenarioOptions()


def _target(target: str | TargetRef | None, spec: JobSpec, scenario: ScenarioOptions) -> TargetRef:
    if isinstance(target, TargetRef):
        return target
    ref = target or scenario.target or next((f"sagemaker:{name}" for name in spec.endpoints), None)
    if ref is None:
        advice = "give one, such as sagemaker:my-endpoint, http://127.0.0.1:8080/invocations or mock:servers=4"
        raise SpecError([Problem("target", "", "the job names no endpoint, and instances are not provisioned", advice)])
    return TargetRef(ref, scenario.target_options)
