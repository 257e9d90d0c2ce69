"""`--fleet` without `--mock`: tests go to the targets that the fleet file names, never to a model of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from loadtest.core.traffic.plan import SCHEMES, TargetRef
from loadtest.errors import Problem, SpecError, TargetError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_file import StandIn
from loadtest.jobs.provision import OpenEndpoint, Wanted

__all__ = ["NamedTargets", "check_plugins"]

# Which of the caller's options a target of that scheme takes.
_TAKES = {
    "sagemaker": {"region", "profile", "endpoint_url", "ca_file"},
    "boto3": {"region", "profile", "endpoint_url", "ca_file"},
    "https": {"ca_file"},
}


class NamedTargets:
    """A `Provider` of what the fleet file names as targets. file: its name, for people.

    options: of each target that the file gives none of that name.
    """

    def __init__(self, fleet: Fleet, file: str, options: Mapping[str, Any] | None = None) -> None:
        self._fleet = fleet
        self._file = file
        self._options = options or {}

    def provide(self, wanted: Wanted, /) -> OpenEndpoint:
        """Raises TargetError if the file has no target for the test."""
        test, configuration = wanted.test, wanted.test.configuration
        if configuration is None:
            kind, name = "endpoints", str(test.endpoint_name)
            entry = self._fleet.file.endpoints.get(name)
        elif configuration.serverless is not None:
            raise TargetError(f"{self._file} has no serverless endpoints; with --mock they are a model")
        else:
            kind, name = "instances", str(configuration.instance_type)
            entry = self._fleet.file.instances.get(name)
        if entry is None or entry.target is None:
            advice = f"write {kind}: {{{name}: {{target: ...}}}} there, or give --mock for a model of it"
            raise TargetError(f"{self._file} names no target for {name}; {advice}")
        endpoint = self._fleet.provide(wanted)
        takes = _TAKES.get(endpoint.target.scheme, ())
        own = {name: value for name, value in self._options.items() if name in takes}
        endpoint.target = replace(endpoint.target, options={**own, **endpoint.target.options})
        return endpoint


def check_plugins(fleet: Fleet, file: str, plugins: Collection[str]) -> None:
    """Raises SpecError with each plug-in of the fleet file that is not among `plugins`: references, or the names before
    their colon.
    """
    kinds: dict[str, Mapping[str, StandIn]] = {"instances": fleet.file.instances, "endpoints": fleet.file.endpoints}
    rule = "a plug-in is code, which a fleet file cannot choose"
    problems = [
        Problem(f"{file}: {kind}.{name}.target", each.target, rule, f"give --allow-plugin {each.target}")
        for kind, entries in kinds.items()
        for name, each in entries.items()
        if each.target is not None and not _allowed(each.target, plugins)
    ]
    if problems:
        raise SpecError(problems)


def _allowed(ref: str, plugins: Collection[str]) -> bool:
    scheme = TargetRef(ref).scheme
    return scheme in SCHEMES or bool({ref, scheme} & set(plugins))
