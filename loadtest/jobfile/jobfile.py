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

from loadtest.core.request.findings import nearest, shown
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, Profile, RunOptions
from loadtest.errors import Problem, SpecError
from loadtest.jobfile.document import read_document
from loadtest.jobfile.runoptions import OPTION_BOUNDS, check_option
from loadtest.targets.reference import SCHEMES, split_ref

__all__ = ["JobFile", "ScenarioOptions", "load_job", "read_job_file"]

MEMBER = "Loadtest"
MAX_TEXT = 4096
MAX_MEMBERS = 10_000  # entries of a payload folder that are looked at; one with more is refused when it is read
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


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a job file may name besides the built-in targets and the files of its own folder."""

    plugins: frozenset[str] = frozenset()
    payload_root: str = ""

    def plugin_problem(self, ref: str) -> Problem | None:
        """A plug-in is code: None if `ref` is none, or is allowed."""
        scheme, _ = split_ref(ref)
        if scheme in SCHEMES or {ref, scheme} & self.plugins:
            return None
        rule = "a plug-in is code, which a job file cannot choose"
        return Problem(f"{MEMBER}.target", shown(ref), rule, f"give --target {ref}, or --allow-plugin {ref}")

    def path_problem(self, path: Path, folder: Path) -> Problem | None:
        """None if `path`, and whatever a link in it leads to, lies below `folder` or the allowed root."""
        roots = [os.path.realpath(root) for root in (folder, self.payload_root) if str(root)]
        links = (Path(top, name) for top, folders, names in os.walk(path) for name in (*folders, *names))
        places = [path, *(link for link in islice(links, MAX_MEMBERS) if link.is_symlink())]
        if all(any(Path(os.path.realpath(place)).is_relative_to(root) for root in roots) for place in places):
            return None
        rule = "lies outside the job file's folder"
        advice = "give --payload, or the folder that it lies in by --payload-root"
        return Problem(f"{MEMBER}.payload.path", shown(str(path)), rule, advice)


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
    scenario = _scenario(document[MEMBER], path.parent, allowed, problems) if MEMBER in document else ScenarioOptions()
    return JobFile(path, request, scenario, text), problems


def _scenario(value: object, folder: Path, allowed: Allowed, problems: list[Problem]) -> ScenarioOptions:
    members = _members(value, MEMBER, _MEMBERS, problems)
    payload = _members(members.get("payload", {}), f"{MEMBER}.payload", _PAYLOAD_MEMBERS, problems)
    payload_path = _text(payload, "path", f"{MEMBER}.payload", problems)
    target = _text(members, "target", MEMBER, problems)
    faults = (
        None if payload_path is None else allowed.path_problem(folder / payload_path, folder),
        None if target is None else allowed.plugin_problem(target),
    )
    problems.extend(fault for fault in faults if fault is not None)
    gate = members.get("gate", False)
    if not isinstance(gate, bool):
        problems.append(Problem(f"{MEMBER}.gate", shown(gate), "must be true or false"))
        gate = False
    return ScenarioOptions(
        target=target,
        target_options=_target_options(members.get("target_options", {}), problems),
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
            checked[name] = float(member) if OPTION_BOUNDS[name].kind == "number" and member is not None else member
        else:
            problems.append(problem)
    return RunOptions(**checked)


def _target_options(value: object, problems: list[Problem]) -> dict[str, Any]:
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
            kept[name] = member
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
