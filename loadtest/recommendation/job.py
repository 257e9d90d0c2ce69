"""`loadtest.recommend`: all tests of a job, here and now, and what they recommend, as Describe would answer it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

from loadtest.api import Job, read_job
from loadtest.core.plain import plain
from loadtest.core.request.spec import Profile
from loadtest.core.result.result import RunResult
from loadtest.errors import LoadtestError, Problem, SpecError
from loadtest.jobs.check import checked_job
from loadtest.jobs.errors import ApiError
from loadtest.jobs.events import MetricPoint, NoEvents
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.models import ModelReader
from loadtest.jobs.provision import Provider
from loadtest.jobs.service import EngineName, JobService, open_service
from loadtest.jobs.status import Status
from loadtest.jobs.subject import EndpointDirectory
from loadtest.payload.remote import PayloadCache
from loadtest.recommendation.endpoints import FileChoice, NamedTargets
from loadtest.recommendation.folder import JobFolder
from loadtest.report.place import run_name

__all__ = ["NOT_ITS_OWN", "Recommendation", "Recommending", "job_folder", "recommend", "start"]

LOOK_S = 0.05
DEFAULT_DIR = "runs"
PRICE_REGION = "us-east-1"
"""Where a model of instances has its figures from; a real endpoint costs what it costs where it is."""
NOT_ITS_OWN = ("target", "profile", "endpoint_url", "ca_file")
"""What a scenario file says of these is not used: the tests say what is loaded."""
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What came of a job. described: DescribeInferenceRecommendationsJob's answer. steps: as ListSteps gives them.

    results: of the tests that ran, in their order. folder: None: nothing was written. missing: file -> why not.
    """

    described: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    results: Sequence[RunResult]
    folder: Path | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """COMPLETED, FAILED (no test gave a result) or STOPPED."""
        return Status(self.described["Status"])


class _Heard(NoEvents):
    """Log lines of the job, as they come."""

    def __init__(self, say: Callable[[str], object], folder: JobFolder | None) -> None:
        self._say, self._folder = say, folder

    def log(self, stream: str, message: str, time_s: float) -> None:
        if self._folder is not None:
            self._folder.say(f"{time_s:.3f} {stream} {message}")
        self._say(message)

    def metric(self, point: MetricPoint) -> None:
        """Nobody keeps these here."""


class Recommending:
    """A job that runs. Thread-safe. Made by `start`."""

    def __init__(self, service: JobService, name: str, folder: JobFolder | None) -> None:
        self._service, self._name, self._folder = service, name, folder
        self._found: Recommendation | None = None
        self._lock = threading.Lock()

    def stop(self) -> None:
        """No new test; those that run end in order. What was found is kept."""
        self._service.stop_inference_recommendations_job({"JobName": self._name})

    def kill(self) -> None:
        """As `stop`, but requests in flight are cut."""
        self._service.abort(self._name)

    def result(self, timeout_s: float | None = None) -> Recommendation:
        """Blocks until the job has ended; TimeoutError if it has not by then."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while self._found is None:
            described = self._service.describe_inference_recommendations_job({"JobName": self._name})
            if Status(described["Status"]).final:
                return self._ended(described)
            if until_s is not None and time.monotonic() > until_s:
                raise TimeoutError
            time.sleep(LOOK_S)
        return self._found

    def _ended(self, described: dict[str, Any]) -> Recommendation:
        with self._lock:
            if self._found is not None:
                return self._found
            params = {"JobName": self._name, "MaxResults": 100}
            steps = self._service.list_inference_recommendations_job_steps(params)["Steps"]
            tests = [test["index"] for test in self._service.tests_of(self._name)]
            found = [self._service.run_result(self._name, index) for index in tests]
            if self._folder is not None:
                self._folder.finish(described, steps, self._service.certainties(self._name))
            self._service.close()
            self._found = Recommendation(
                described,
                steps,
                [result for result in found if result is not None],
                None if self._folder is None else self._folder.path,
                {} if self._folder is None else dict(self._folder.missing),
            )
            return self._found


class Seams(TypedDict, total=False):
    """Who is asked besides the files, as for `open_service`.

    provider: makes the endpoints, in place of a fleet and of mocks. model_reader: with one, a model, or package, that
    it does not know is refused before anything is made. region: of the account, for ARNs and list prices.
    """

    provider: Provider
    region: str
    directory: EndpointDirectory
    model_reader: ModelReader


def start(
    job: Job,
    *,
    fleet: str | os.PathLike[str] | None = None,
    mock: bool = False,
    engine: EngineName = "live",
    prices: str | os.PathLike[str] | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    payload: str | os.PathLike[str] | None = None,
    profile: Profile = "relaxed",
    options: Mapping[str, Any] = _NO_OPTIONS,
    allowed: FileChoice = FileChoice(),
    payload_root: str = "",
    say: Callable[[str], object] = lambda line: None,
    wrap: Callable[[Provider], Provider] = lambda provider: provider,
    **seams: Unpack[Seams],
) -> Recommending:
    """Start a job's tests and return at once.

    fleet: a fleet file; its targets are tested, or with `mock` the model that it describes; without one, `mock` is the
        built-in model. engine: "sim" is for `mock` only.
    prices: a file in place of the built-in (or last updated) ones. output_dir: new or empty; None: nothing is written.
    payload: request bodies in place of the job's SamplePayloadUrl.
    options: region, profile, endpoint_url, ca_file (TargetRef.options) for the payload, and for the targets of a fleet
        file that gives them none. allowed: what the file may choose for them besides.
    payload_root: a folder besides the job file's own, and the fleet file's, that their files may lie in.
    say: told a line at a time what goes on, from the job's threads.
    wrap: gives another provider in place of that one, or of the fleet file's targets.
    Raises SpecError with every problem of the job and the files.
    """
    own = NOT_ITS_OWN if payload is None else (*NOT_ITS_OWN, "payload")
    read = read_job(job, profile=profile, payload_root=payload_root, own=own)
    request = plain(dict(read.spec.request))
    _check(fleet, mock, engine, "provider" in seams)
    checked_job(request, profile)
    folder = None if output_dir is None else _folder(Path(output_dir), request)
    named = fleet is not None and not mock and "provider" not in seams
    seams |= {"provider": wrap(seams["provider"])} if "provider" in seams else {}
    allowed = allowed.besides(options, payload_root)
    try:
        service = open_service(
            engine=engine,
            profile=profile,
            fleet_file=None if fleet is None else Path(fleet),
            prices_file=None if prices is None else Path(prices),
            price_region=seams.get("region") or (options.get("region") if named else None) or PRICE_REGION,
            payload=os.fspath(payload) if payload is not None else read.scenario.payload_path,
            events=_Heard(say, folder),
            watcher=folder,
            strict_resources="model_reader" in seams,
            named_only=(lambda own: wrap(NamedTargets(own, str(fleet), options))) if named else None,
            payload_reader=PayloadCache(options).path,
            **seams,
        )
        _submit(service, request, folder, lambda own: allowed.check(own, str(fleet)))
    except LoadtestError:
        if folder is not None:
            folder.discard()
        raise
    return Recommending(service, read.spec.name, folder)


def _submit(
    service: JobService, request: Mapping[str, Any], folder: JobFolder | None, check: Callable[[Fleet], None]
) -> None:
    """Have the job run. A service that it cannot run in is closed."""
    if folder is not None:
        folder.result = service.run_result
    try:
        check(service.fleet)
        service.create_inference_recommendations_job(request)
    except ApiError as problem:
        service.close()
        raise SpecError([Problem("the job", "", problem.message)]) from problem
    except LoadtestError:
        service.close()
        raise


def recommend(job: Job, **choices: Any) -> Recommendation:
    """Run all tests of a job to their end. Arguments and errors as for `start` of this module."""
    running = start(job, **choices)
    try:
        return running.result()
    except BaseException:
        running.kill()
        running.result()
        raise


def job_folder(output_dir: str | None, name: str) -> Path:
    """The folder that is given, or a dated one in runs/."""
    if output_dir:
        return Path(output_dir)
    return _unused(Path(DEFAULT_DIR) / run_name(time.time(), f"{name}-recommend", "recommend"))


def _unused(path: Path) -> Path:
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _check(fleet: object, mock: bool, engine: str, provided: bool) -> None:
    problems = []
    if fleet is None and not mock and not provided:
        advice = "give --fleet FILE (targets that you run), --mock (a model of them), or --deploy (AWS)"
        problems.append(Problem("endpoints", "", "nothing says where the tested endpoints come from", advice))
    if engine == "sim" and not mock:
        problems.append(Problem("--engine", "sim", "virtual time has no real endpoints", "give --mock"))
    if problems:
        raise SpecError(problems)


def _folder(path: Path, request: Mapping[str, Any]) -> JobFolder:
    try:
        if path.is_dir() and any(path.iterdir()):
            raise SpecError([Problem("--output-dir", str(path), "holds something already", "name a new folder")])
        return JobFolder(path, json.loads(json.dumps(request)))
    except OSError as problem:
        raise SpecError([Problem("--output-dir", str(path), f"cannot be written: {problem.strerror}")]) from problem
