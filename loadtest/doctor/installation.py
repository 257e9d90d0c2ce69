"""The installed parts, and whether they make a run: one second against the built-in mock endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version

import loadtest.api as api
from loadtest.core.request.placeholder import PLACEHOLDER_ROLE
from loadtest.doctor.finding import Finding, State
from loadtest.errors import LoadtestError
from loadtest.version import VERSION

__all__ = ["engine", "parts"]

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)")
_MAKERS = ("dev", "docs")  # extras of those who work on the package
_JOB = {
    "JobName": "doctor",
    "JobType": "Advanced",
    "RoleArn": PLACEHOLDER_ROLE,
    "InputConfig": {
        "TrafficPattern": {
            "TrafficType": "STAIRS",
            "Stairs": {"DurationInSeconds": 1, "NumberOfSteps": 1, "UsersPerStep": 2},
        },
        "Endpoints": [{"EndpointName": "doctor"}],
    },
}


def parts() -> Iterator[Finding]:
    """What is installed: the core, and each optional part."""
    try:
        wanted, extras = requires("loadtest") or [], metadata("loadtest").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        yield Finding("Packages", "note", f"loadtest {VERSION} runs from its source", "pip install loadtest")
        return
    yield _part(
        "Packages", "bad", [name for name, extra in map(_read, wanted) if not extra], "--force-reinstall loadtest"
    )
    for part in (extra for extra in extras if extra not in _MAKERS):
        names = [name for name, extra in map(_read, wanted) if extra == part and name != "loadtest"]
        yield _part(f"Part {part}", "note", names, f"'loadtest[{part}]'")


def _read(requirement: str) -> tuple[str, str]:
    """(package, the extra that it is for; "": the core) of a requirement as the metadata write it."""
    name, extra = _NAME.match(requirement), _EXTRA.search(requirement)
    return name[0] if name else "", extra[1] if extra else ""


def _part(topic: str, lacking: State, names: Sequence[str], to_install: str) -> Finding:
    have, missing = [], []
    for name in names:
        try:
            have.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(topic, lacking, f"not installed: {', '.join(missing)}", f"pip install {to_install}")
    return Finding(topic, "good", ", ".join(have) or "needs no further package")


def engine() -> Finding:
    """A real run of a second against the mock endpoint, on the loopback interface."""
    try:
        result = api.run(_JOB, target="mock:servers=2,service_ms=10")
    except LoadtestError as problem:
        return Finding("A run", "bad", str(problem).splitlines()[0], "see the findings above; else report it")
    except OSError as problem:
        return Finding("A run", "bad", str(problem), "processes, pipes and loopback sockets must be allowed here")
    if not result.totals.ok:
        return Finding("A run", "bad", f"no request succeeded ({result.reason.value})", "allow loopback connections")
    return Finding("A run", "good", f"{result.totals.ok} requests in a second against the built-in mock endpoint")
