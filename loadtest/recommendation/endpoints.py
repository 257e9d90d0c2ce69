"""`--fleet` without `--mock`: tests go to the targets that the fleet file names, never to a model of one."""

from __future__ import annotations

from loadtest.errors import TargetError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.provision import OpenEndpoint, Wanted

__all__ = ["NamedTargets"]


class NamedTargets:
    """A `Provider` of what the fleet file names as targets. file: its name, for people."""

    def __init__(self, fleet: Fleet, file: str) -> None:
        self._fleet = fleet
        self._file = file

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
        return self._fleet.provide(wanted)
