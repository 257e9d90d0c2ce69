"""A job file: a CreateInferenceRecommendationsJob request as JSON or YAML, with the one extra member of a scenario.

A scenario is the request plus a top-level member `Loadtest`:

    {"JobName": ..., "InputConfig": {...},
     "Loadtest": {"target": "mock:servers=4", "target_options": {"region": "eu-west-1"},
                  "payload": {"path": "samples.tar.gz", "content_type": "text/csv"},
                  "options": {"spawn": "smooth", "window_s": 0.5, ...}, "gate": true}}

All of it is optional. Files are read without trust: bounded in size, depth and number of values, YAML only in its safe
form. A file is data, wherever it came from: plug-in targets, which are code, are named by the caller, and a payload
lies in the job file's own folder (relative paths are relative to it) unless the caller allows another.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from loadtest.core.request.bounds import FLAG, Bound
from loadtest.core.request.findings import Findings, nearest, shown
from loadtest.core.request.findings import Path as ValuePath
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.document import read_document
from loadtest.jobfile.runoptions import OPTION_BOUNDS
from loadtest.targets.reference import SCHEMES, split_ref

__all__ = ["JobFile", "ScenarioOptions", "load_job", "read_job_file"]

MEMBER = "Loadtest"
MAX_TEXT = 4096
MAX_MEMBERS = 10_000  # entries of a payload folder that are looked at; one with more is refused when it is read
_MEMBERS = ("target", "target_options", "payload", "options", "gate")
_TEXT = Bound(low=1, high=MAX_TEXT, allowed=str.isprintable, noun="a non-empty string without control characters")
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


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a job file may name besides the built-in targets and the files of its own folder."""

    plugins: frozenset[str] = frozenset()
    payload_root: str = ""

    def check_target(self, ref: str, findings: Findings) -> None:
        """A plug-in is code: `ref` must be none, or be allowed."""
        scheme, _ = split_ref(ref)
        if scheme not in SCHEMES and not {ref, scheme} & self.plugins:
            rule = "a plug-in is code, which a job file cannot choose"
            findings.error((MEMBER, "target"), shown(ref), rule, f"give --target {ref}, or --allow-plugin {ref}")

    def check_payload(self, path: Path, folder: Path, findings: Findings) -> None:
        """`path`, and whatever a link in it leads to, must lie below `folder` or the allowed root."""
        roots = [os.path.realpath(root) for root in (folder, self.payload_root) if str(root)]
        links = (Path(top, name) for top, folders, names in os.walk(path) for name in (*folders, *names))
        places = [path, *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
        if not all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in roots) for place in places):
            rule = "lies outside the job file's folder"
            advice = "give --payload, or the folder that it lies in by --payload-root"
            findings.error((MEMBER, "payload", "path"), shown(str(path)), rule, advice)


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
    path: str | Path, profile: Profile = "aws", *, plugins: Collection[str] = (), payload_root: str = ""
) -> tuple[JobFile, JobSpec]:
    """Read a job file and parse its request. Raises SpecError with the problems of both at once.

    A file is data: it names no code and no file of its reader's that the caller did not allow. plugins: target
    references of plug-ins that it may name; payload_root: a folder besides its own that its payload may lie in.
    """
    job, problems = _read(Path(path), Allowed(frozenset(plugins), payload_root))
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
    where: ValuePath = (MEMBER,)
    members = _members(value, where, _MEMBERS, findings)
    payload = _members(members.get("payload", {}), (*where, "payload"), _PAYLOAD_MEMBERS, findings)
    payload_path = _checked(payload, "path", (*where, "payload"), _TEXT, findings)
    target = _checked(members, "target", where, _TEXT, findings)
    if payload_path is not None:
        allowed.check_payload(folder / payload_path, folder, findings)
    if target is not None:
        allowed.check_target(target, findings)
    return ScenarioOptions(
        target=target,
        target_options=_target_options(members.get("target_options", {}), findings),
        payload_path=None if payload_path is None else str(folder / payload_path),
        content_type=_checked(payload, "content_type", (*where, "payload"), _TEXT, findings),
        options=_options(members.get("options", {}), findings),
        gate=bool(_checked(members, "gate", where, FLAG, findings)),
    )


def _options(value: object, findings: Findings) -> RunOptions:
    where = (MEMBER, "options")
    checked: dict[str, Any] = {}
    for name, member in _members(value, where, tuple(OPTION_BOUNDS), findings).items():
        if findings.check((*where, name), member, OPTION_BOUNDS[name]):
            is_real = OPTION_BOUNDS[name].kind == "number" and member is not None
            checked[name] = float(member) if is_real else member
    return RunOptions(**checked)


def _target_options(value: object, findings: Findings) -> dict[str, Any]:
    where = (MEMBER, "target_options")
    if not isinstance(value, dict):
        findings.error(where, shown(value), "must be an object")
        return {}
    kept = {}
    for name, member in value.items():
        if any(word in name.casefold() for word in _CREDENTIAL_WORDS):
            # The value is not shown: it may be real.
            findings.error((*where, name), "", "credentials do not belong in a file", "use an AWS profile")
        elif not isinstance(member, (str, int, float)):
            findings.error((*where, name), shown(member), "must be a string, a number, true or false")
        else:
            kept[name] = member
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
