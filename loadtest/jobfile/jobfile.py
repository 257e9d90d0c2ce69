"""A job file: a CreateInferenceRecommendationsJob request as JSON or YAML, with the one extra member of a scenario.

A scenario is the request plus a top-level member `Loadtest`:

    {"JobName": ..., "InputConfig": {...},
     "Loadtest": {"target": "mock:servers=4", "target_options": {"region": "eu-west-1"},
                  "payload": {"path": "samples.tar.gz", "content_type": "text/csv"},
                  "options": {"spawn": "smooth", "window_s": 0.5, ...}, "gate": true}}

All of it is optional. Files are read without trust: bounded in size, depth and number of values, YAML only in its safe
form. A file is data, wherever it came from: what it may choose is in allowed.py. Relative paths in it are relative to
its folder.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loadtest.core.request.findings import nearest, shown
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.allowed import Allowed
from loadtest.jobfile.document import read_document
from loadtest.jobfile.runoptions import OPTION_BOUNDS, check_option

__all__ = ["JobFile", "ScenarioOptions", "load_job", "read_job_file"]

MEMBER = "Loadtest"
MAX_TEXT = 4096
_MEMBERS = ("target", "target_options", "payload", "options", "gate")
_PAYLOAD_MEMBERS = ("path", "content_type")
# Keys belong in the environment or an AWS profile; a job file is shared and kept with results.
_CREDENTIAL_WORDS = ("secret", "password", "access_key", "session_token", "credential")


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """What a scenario's `Loadtest` member says; the defaults where it is silent.

    target: a target reference; None: the caller chooses. target_options: as in `TargetRef.options`.
    payload_path: absolute or relative to the working directory; None: not given. content_type: None: not given.
    gate: a latency threshold that is not met fails the run.
    """

    target: str | None = None
    target_options: Mapping[str, Any] = field(default_factory=dict)
    payload_path: str | None = None
    content_type: str | None = None
    options: RunOptions = RunOptions()
    gate: bool = False


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job file that was read. request: without the member `Loadtest`; text: the file as it is, decoded."""

    path: Path
    request: dict[str, Any]
    loadtest: ScenarioOptions
    text: str


def read_job_file(path: str | Path) -> JobFile:
    """Read a job file; the request in it is not checked (`core.parse.parse_job` does that).

    Raises SpecError if the file is missing, unreadable, too large, not UTF-8, not JSON or YAML, holds a member twice,
    or if its `Loadtest` member is wrong.
    """
    job, problems = _read(Path(path), Allowed())
    if problems:
        raise SpecError(problems)
    return job


def load_job(
    path: str | Path,
    profile: Profile = "aws",
    *,
    plugins: Collection[str] = (),
    payload_root: str = "",
    own: Collection[str] = (),
) -> tuple[JobFile, JobSpec]:
    """Read a job file and parse its request. Raises SpecError with the problems of both at once.

    A file is data: it names no code, no file and no credentials of its reader's that the caller did not allow.
    plugins: target references of plug-ins that it may name; payload_root: a folder besides its own that its files may
    lie in; own: what the caller gives itself ("target", "payload", names of target
    options), so that the file's does not count.
    """
    job, problems = _read(Path(path), Allowed(frozenset(plugins), payload_root, frozenset(own)))
    try:
        spec = parse_job(job.request, profile)
    except SpecError as error:
        raise SpecError([*error.problems, *problems]) from None
    if problems:
        raise SpecError(problems)
    return job, spec


def _read(path: Path, allowed: Allowed) -> tuple[JobFile, list[Problem]]:
    document, text, problems = read_document(path)
    if not isinstance(document, dict):
        raise SpecError([*problems, Problem("", shown(document), "must be an object")])
    request = {name: member for name, member in document.items() if name != MEMBER}
    scenario = _scenario(document[MEMBER], path.parent, allowed, problems) if MEMBER in document else ScenarioOptions()
    return JobFile(path, request, scenario, text), problems


def _scenario(value: object, folder: Path, allowed: Allowed, problems: list[Problem]) -> ScenarioOptions:
    members = _members(value, MEMBER, _MEMBERS, problems)
    payload = _members(members.get("payload", {}), f"{MEMBER}.payload", _PAYLOAD_MEMBERS, problems)
    payload_path = _text(payload, "path", f"{MEMBER}.payload", problems)
    target = _text(members, "target", MEMBER, problems)
    if payload_path is not None and "payload" not in allowed.own:
        advice = "give --payload, or the folder that it lies in by --payload-root"
        problems.extend(allowed.path_problems(folder / payload_path, folder, f"{MEMBER}.payload.path", advice))
    if target is not None:
        target = _target(target, folder, allowed, problems)
    gate = members.get("gate", False)
    if not isinstance(gate, bool):
        problems.append(Problem(f"{MEMBER}.gate", shown(gate), "must be true or false"))
        gate = False
    return ScenarioOptions(
        target=target,
        target_options=_target_options(members.get("target_options", {}), folder, allowed, problems),
        payload_path=None if payload_path is None else str(folder / payload_path),
        content_type=_text(payload, "content_type", f"{MEMBER}.payload", problems),
        options=_options(members.get("options", {}), problems),
        gate=gate,
    )


def _options(value: object, problems: list[Problem]) -> RunOptions:
    path = f"{MEMBER}.options"
    checked: dict[str, Any] = {}
    for name, member in _members(value, path, tuple(OPTION_BOUNDS), problems).items():
        problem = check_option(name, member, f"{path}.{name}")
        if problem is None:
            checked[name] = float(member) if OPTION_BOUNDS[name].is_real and member is not None else member
        else:
            problems.append(problem)
    return RunOptions(**checked)


def _target(ref: str, folder: Path, allowed: Allowed, problems: list[Problem]) -> str:
    """`ref`, with the samples of a mock endpoint where they lie."""
    problems.extend(allowed.plugin_problems(ref, f"{MEMBER}.target"))
    try:
        settings = MockSettings.parse(TargetRef(ref).rest) if TargetRef(ref).is_mock else MockSettings()
    except SpecError:
        return ref  # said with everything else that is wrong with it, when the target is chosen
    if not settings.samples:
        return ref
    samples = folder / settings.samples
    if "target" in allowed.own:
        return ref
    advice = "give --target, or the folder that they lie in by --payload-root"
    problems.extend(allowed.path_problems(samples, folder, f"{MEMBER}.target", advice))
    return replace(settings, samples=str(samples)).to_ref() if "," not in str(samples) else ref


def _target_options(value: object, folder: Path, allowed: Allowed, problems: list[Problem]) -> dict[str, Any]:
    path = f"{MEMBER}.target_options"
    if not isinstance(value, dict):
        problems.append(Problem(path, shown(value), "must be an object"))
        return {}
    kept = {}
    for name, member in value.items():
        if any(word in name.casefold() for word in _CREDENTIAL_WORDS):
            # The value is not shown: it may be real.
            problems.append(Problem(f"{path}.{name}", "", "credentials do not belong in a file", "use an AWS profile"))
        elif not isinstance(member, (str, int, float)):
            problems.append(Problem(f"{path}.{name}", shown(member), "must be a string, a number, true or false"))
        else:
            problems.extend(allowed.option_problems(name, member, folder, f"{path}.{name}"))
            kept[name] = str(folder / member) if name == "ca_file" and isinstance(member, str) else member
    return kept


def _members(value: object, path: str, valid: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    """The valid members of an object; what else there is goes to `problems`."""
    if not isinstance(value, dict):
        problems.append(Problem(path, shown(value), "must be an object"))
        return {}
    for name, member in value.items():
        if name not in valid:
            where = f"{path}.{name}" if name.isidentifier() else f"{path}.{shown(name)}"
            problems.append(Problem(where, shown(member), "is not a valid member", nearest(name, valid)))
    return {name: member for name, member in value.items() if name in valid}


def _text(members: Mapping[str, Any], name: str, path: str, problems: list[Problem]) -> str | None:
    """A non-empty string without control characters; None if absent or wrong."""
    if name not in members:
        return None
    value = members[name]
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable():
        return value
    problems.append(Problem(f"{path}.{name}", shown(value), "must be a non-empty string without control characters"))
    return None
