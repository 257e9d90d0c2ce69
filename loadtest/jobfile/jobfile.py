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

from loadtest.core.request.bounds import FLAG, Bound
from loadtest.core.request.findings import Findings, nearest, path_text, shown
from loadtest.core.request.findings import Path as ValuePath
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.allowed import Allowed
from loadtest.jobfile.document import read_document
from loadtest.jobfile.runoptions import OPTION_BOUNDS
from loadtest.jobfile.search_wish import SearchWish, wish_of

__all__ = ["JobFile", "ScenarioOptions", "load_job", "read_job_file"]

MEMBER = "Loadtest"
MAX_TEXT = 4096
_MEMBERS = ("target", "target_options", "payload", "options", "gate", "search")
_TEXT = Bound(low=1, high=MAX_TEXT, allowed=str.isprintable, noun="a non-empty string without control characters")
_PAYLOAD_MEMBERS = ("path", "content_type")
# Keys belong in the environment or an AWS profile; a job file is shared and kept with results.
_CREDENTIAL_WORDS = ("secret", "password", "access_key", "session_token", "credential")


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """What a scenario's `Loadtest` member says; the defaults where it is silent.

    target: a target reference; None: the caller chooses. target_options: as in `TargetRef.options`.
    payload_path: absolute or relative to the working directory; None: not given. content_type: None: not given.
    gate: a latency threshold that is not met fails the run. search: it chooses the load in place of the traffic; None:
    there is none.
    """

    target: str | None = None
    target_options: Mapping[str, Any] = field(default_factory=dict)
    payload_path: str | None = None
    content_type: str | None = None
    options: RunOptions = RunOptions()
    gate: bool = False
    search: SearchWish | None = None


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
    lie in; own: what the caller gives itself ("target", "payload", names of target options), so that the file's does
    not count.
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
    findings, scenario = Findings(), ScenarioOptions()
    if MEMBER in document:
        scenario = _scenario(document[MEMBER], path.parent, allowed, findings)
    return JobFile(path, request, scenario, text), [*problems, *findings.problems]


def _scenario(value: object, folder: Path, allowed: Allowed, findings: Findings) -> ScenarioOptions:
    members = _members(value, (MEMBER,), _MEMBERS, findings)
    payload = _members(members.get("payload", {}), (MEMBER, "payload"), _PAYLOAD_MEMBERS, findings)
    payload_path = _checked(payload, "path", (MEMBER, "payload"), _TEXT, findings)
    target = _checked(members, "target", (MEMBER,), _TEXT, findings)
    if payload_path is not None and "payload" not in allowed.own:
        advice = "give --payload, or the folder that it lies in by --payload-root"
        findings.add(allowed.path_problems(folder / payload_path, folder, f"{MEMBER}.payload.path", advice))
    if target is not None:
        target = _target(target, folder, allowed, findings)
    return ScenarioOptions(
        target=target,
        target_options=_target_options(members.get("target_options", {}), folder, allowed, findings),
        payload_path=None if payload_path is None else str(folder / payload_path),
        content_type=_checked(payload, "content_type", (MEMBER, "payload"), _TEXT, findings),
        options=_options(members.get("options", {}), findings),
        search=wish_of(members["search"], (MEMBER, "search"), findings) if "search" in members else None,
        gate=bool(_checked(members, "gate", (MEMBER,), FLAG, findings)),
    )


def _options(value: object, findings: Findings) -> RunOptions:
    where = (MEMBER, "options")
    checked: dict[str, Any] = {}
    for name, member in _members(value, where, tuple(OPTION_BOUNDS), findings).items():
        if findings.check((*where, name), member, OPTION_BOUNDS[name]):
            checked[name] = float(member) if OPTION_BOUNDS[name].kind == "number" and member is not None else member
    return RunOptions(**checked)


def _target(ref: str, folder: Path, allowed: Allowed, findings: Findings) -> str:
    """`ref`, with the samples of a mock endpoint where they lie."""
    findings.add(allowed.plugin_problems(ref, f"{MEMBER}.target"))
    try:
        settings = MockSettings.parse(TargetRef(ref).rest) if TargetRef(ref).is_mock else MockSettings()
    except SpecError:
        return ref  # said with everything else that is wrong with it, when the target is chosen
    if not settings.samples or "target" in allowed.own:
        return ref
    samples = folder / settings.samples
    advice = "give --target, or the folder that they lie in by --payload-root"
    findings.add(allowed.path_problems(samples, folder, f"{MEMBER}.target", advice))
    return replace(settings, samples=str(samples)).to_ref() if "," not in str(samples) else ref


def _target_options(value: object, folder: Path, allowed: Allowed, findings: Findings) -> dict[str, Any]:
    where = (MEMBER, "target_options")
    if not isinstance(value, dict):
        findings.error(where, shown(value), "must be an object")
        return {}
    kept = {}
    for name, member in value.items():
        path = (*where, name)
        if any(word in name.casefold() for word in _CREDENTIAL_WORDS):
            # The value is not shown: it may be real.
            findings.error(path, "", "credentials do not belong in a file", "use an AWS profile")
        elif not isinstance(member, (str, int, float)):
            findings.error(path, shown(member), "must be a string, a number, true or false")
        else:
            findings.add(allowed.option_problems(name, member, folder, path_text(path)))
            kept[name] = str(folder / member) if name == "ca_file" and isinstance(member, str) else member
    return kept


def _members(value: object, path: ValuePath, valid: tuple[str, ...], findings: Findings) -> dict[str, Any]:
    """The valid members of an object; what else there is is noted."""
    if not isinstance(value, dict):
        findings.error(path, shown(value), "must be an object")
        return {}
    for name, member in value.items():
        if name not in valid:
            findings.error((*path, name), shown(member), "is not a valid member", nearest(name, valid))
    return {name: member for name, member in value.items() if name in valid}


def _checked(members: Mapping[str, Any], name: str, path: ValuePath, bound: Bound, findings: Findings) -> Any:
    """A member; None if it is absent or wrong."""
    if name not in members or not findings.check((*path, name), members[name], bound):
        return None
    return members[name]
