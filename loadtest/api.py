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
from dataclasses import dataclass, replace
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.request.findings import shown
from loadtest.core.request.parse import parse_job
from loadtest.core.request.s3 import is_web_object, s3_object
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import Step, TrafficCurve, curve_of
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef, open_plan, search_plan
from loadtest.engine import sim
from loadtest.engine.parent import spawn
from loadtest.engine.parent.spawn import Run
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.jobfile import ScenarioOptions, load_job
from loadtest.jobfile.objective import search_of
from loadtest.report.recovery import read_run
from loadtest.targets.reference import OPTIONS

__all__ = ["Job", "ReadJob", "Run", "load", "parse", "plan", "plan_job", "read_job", "run", "simulate", "start"]

Job = Mapping[str, Any] | JobSpec | str | os.PathLike[str]

SAMPLE_PAYLOAD = "InputConfig.ContainerConfig.PayloadConfig.SamplePayloadUrl"
DEFAULT_CONTENT_TYPE = "application/json"
_ONE_USER = TrafficCurve((Step(0.0, 1),), 1.0)  # of a Default job, where arrivals take the place of users


def parse(job: Job, *, profile: Profile = "relaxed") -> JobSpec:
    """Check a job and give its typed form.

    profile: "aws" refuses what the service or its documents refuse; "relaxed" lets through, as warnings, the bounds
    that only protect AWS's own capacity. Raises SpecError with every problem.
    """
    return read_job(job, profile=profile).spec


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
    payload: a file, folder or archive of request bodies, or `s3://BUCKET/KEY` of an archive; None: the scenario's, else
        the job's SamplePayloadUrl where the target reads what it is sent, else one small JSON document.
    content_type: None: the scenario's, else the job's first SupportedContentTypes, else application/json.
    options: how ambiguous fields are read and how it is measured; None: the scenario's.
    arrivals: an open workload in place of the job's traffic, with at most `in_flight_limit` requests at once; None: the
        job's own users, and the default limit (see `open_plan`).
    allow_plugins, payload_root: what a job *file* may name besides built-in targets and its own folder's files: plug-in
        targets by reference, and a folder that its payload may lie in.
    Raises SpecError with every problem, and if the job has no traffic or nothing says where to send it.
    """
    own = own_choices({"target": target, "payload": payload})
    read = read_job(job, profile=profile, plugins=allow_plugins, payload_root=payload_root, own=own)
    return plan_job(
        read,
        target=target,
        payload=payload,
        content_type=content_type,
        options=options,
        workers=workers,
        arrivals=arrivals,
        in_flight_limit=in_flight_limit,
    )


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A job that was read once: the checked request, and what a scenario file adds to it."""

    spec: JobSpec
    scenario: ScenarioOptions = ScenarioOptions()

    def target(self, given: str | None = None, options: Mapping[str, Any] | None = None) -> TargetRef | None:
        """Where the traffic goes: to `given`, else the scenario's target, else the job's own endpoint; None: nowhere.

        options: of the target, before the scenario's.
        """
        ref = given or self.scenario.target or next((f"sagemaker:{name}" for name in self.spec.endpoints), None)
        return None if ref is None else TargetRef(ref, {**self.scenario.target_options, **(options or {})})

    def payload(self, target: TargetRef, given: str | None = None, content_type: str | None = None) -> PayloadSource:
        """What is sent to `target`: `given`, else the scenario's payload, else the job's sample payload, if it is read.

        Raises SpecError if the sample payload names no object.
        """
        path = given or self.scenario.payload_path
        if path is None and self.spec.sample_payload_url is not None and target.sends_payload:
            if is_web_object(self.spec.sample_payload_url):
                kind = content_type or self.scenario.content_type or self.spec.content_type or DEFAULT_CONTENT_TYPE
                return PayloadSource(self.spec.sample_payload_url, kind)
            found = s3_object(self.spec.sample_payload_url)
            if found is None:
                rule, advice = "names no object in S3", "write s3://BUCKET/KEY, or download it and give --payload"
                raise SpecError([Problem(SAMPLE_PAYLOAD, shown(self.spec.sample_payload_url), rule, advice)])
            path = f"s3://{found[0]}/{found[1]}"
        kind = content_type or self.scenario.content_type or self.spec.content_type or DEFAULT_CONTENT_TYPE
        return PayloadSource(path, kind)


def read_job(
    job: Job,
    *,
    profile: Profile = "relaxed",
    plugins: Collection[str] = (),
    payload_root: str = "",
    own: Collection[str] = (),
) -> ReadJob:
    """Read and check a job. plugins, payload_root, own: as for `load_job`. Raises SpecError with every problem."""
    if isinstance(job, JobSpec):
        return ReadJob(job)
    if isinstance(job, (str, os.PathLike)):
        file, spec = load_job(os.fspath(job), profile, plugins=plugins, payload_root=payload_root, own=own)
        return ReadJob(spec, file.loadtest)
    return ReadJob(parse_job(job, profile))


def plan_job(
    job: ReadJob,
    *,
    target: str | TargetRef | None = None,
    payload: str | os.PathLike[str] | None = None,
    content_type: str | None = None,
    options: RunOptions | None = None,
    workers: int = 1,
    arrivals: Arrivals | None = None,
    in_flight_limit: int | None = None,
    search: SearchSettings | None = None,
) -> Plan:
    """The load test of a job that was read; the one place where its target and its payload are chosen. See `plan`.

    search: it chooses the load in place of the job's traffic.
    """
    spec = job.spec
    if search is None and arrivals is None and job.scenario.search is not None:
        search = search_of(spec, job.scenario)
    if spec.traffic is None and arrivals is None and search is None:
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
    chosen = job.scenario.options if options is None else options
    ratio = chosen.max_error_ratio
    ref = target if isinstance(target, TargetRef) else job.target(target)
    if ref is None:
        advice = "give one, such as sagemaker:my-endpoint, http://127.0.0.1:8080/invocations or mock:servers=4"
        raise SpecError([Problem("target", "", "the job names no endpoint, and instances are not provisioned", advice)])
    made = Plan(
        curve=_ONE_USER if spec.traffic is None else curve_of(spec.traffic, chosen),
        stop=spec.stop if ratio is None else replace(spec.stop, max_error_ratio=ratio),
        target=ref,
        payload=job.payload(ref, None if payload is None else os.fspath(payload), content_type),
        options=chosen,
        limit_s=spec.duration_s,
        workers=workers,
    )
    if search is not None:
        return search_plan(made, search)
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
    read, plan = _planned(job, profile, choices)
    call = None if on_window is None else (lambda window, _progress: on_window(window))
    return spawn.start(plan, on_window=call, job=dict(read.spec.request), label=read.spec.name)


def run(job: Job, **choices: Any) -> RunResult:
    """Run a job's load test to its end. Arguments and errors as for `start`."""
    return start(job, **choices).result()


def simulate(
    job: Job, *, on_window: Callable[[Window], None] | None = None, profile: Profile = "relaxed", **choices: Any
) -> RunResult:
    """The same test in virtual time, against the model of a `mock:` target: minutes in a second, no traffic at all.

    Arguments and errors as for `start`; SpecError if the target is not a mock.
    """
    read, plan = _planned(job, profile, choices)
    return sim.simulate(plan, on_window=on_window, job=dict(read.spec.request), label=read.spec.name)


def load(folder: str | os.PathLike[str]) -> RunResult:
    """The result in a run folder, as `run` returned it; its files are described in docs/schema/.

    A folder NAME.partial, whose writer died, gives what it got to write, with the reason ENGINE_LOST. Raises SpecError
    if the folder is none of ours, or of another schema version.
    """
    return read_run(folder)


def _planned(job: Job, profile: Profile, choices: Mapping[str, Any]) -> tuple[ReadJob, Plan]:
    chosen = dict(choices)
    plugins, root = chosen.pop("allow_plugins", ()), chosen.pop("payload_root", "")
    read = read_job(job, profile=profile, plugins=plugins, payload_root=root, own=own_choices(chosen))
    return read, plan_job(read, **chosen)


def own_choices(choices: Mapping[str, Any]) -> list[str]:
    """What the caller chooses itself, so that a job file does not: a `TargetRef` brings its options."""
    own = [name for name in ("target", "payload") if choices.get(name) is not None]
    return [*own, *OPTIONS] if isinstance(choices.get("target"), TargetRef) else own
