"""`--fleet` without `--mock`: tests go to the targets that the fleet file names, never to a model of one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtest.core.traffic.plan import SCHEMES, TargetRef
from loadtest.errors import Problem, SpecError, TargetError
from loadtest.folders import lies_in
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_file import StandIn
from loadtest.jobs.provision import OpenEndpoint, Wanted
from loadtest.loopback import is_loopback_url

__all__ = ["FileChoice", "NamedTargets"]

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


@dataclass(frozen=True, slots=True)
class FileChoice:
    """What a fleet file may choose besides built-in targets: it is data, wherever it came from.

    plugins: references, or the names before their colon. profiles: of the AWS configuration, that may sign.
    endpoint_urls: where requests may go that are signed, besides this machine. root: a folder besides the file's own
    that certificates may lie in; "": none.
    """

    plugins: Collection[str] = ()
    profiles: Collection[str] = ()
    endpoint_urls: Collection[str] = ()
    root: str = ""

    def besides(self, options: Mapping[str, Any], root: str) -> FileChoice:
        """With what the caller chose for all targets, and a folder that files may lie in."""
        own = {name: [options[name]] if options.get(name) else [] for name in ("profile", "endpoint_url")}
        profiles, urls = [*self.profiles, *own["profile"]], [*self.endpoint_urls, *own["endpoint_url"]]
        return replace(self, profiles=profiles, endpoint_urls=urls, root=root)

    def check(self, fleet: Fleet, file: str) -> None:
        """Raises SpecError with everything that the fleet file chooses and may not. file: its name."""
        kinds: dict[str, Mapping[str, StandIn]] = {"instances": fleet.file.instances, "endpoints": fleet.file.endpoints}
        problems = [
            problem
            for kind, entries in kinds.items()
            for name, each in entries.items()
            if each.target is not None
            for problem in self._problems(each.target, each.options, f"{file}: {kind}.{name}", Path(file).parent)
        ]
        if problems:
            raise SpecError(problems)

    def _problems(self, ref: str, options: Mapping[str, Any], where: str, folder: Path) -> Iterator[Problem]:
        scheme = TargetRef(ref).scheme
        if scheme not in SCHEMES and not {ref, scheme} & set(self.plugins):
            rule = "a plug-in is code, which a fleet file cannot choose"
            yield Problem(f"{where}.target", ref, rule, f"give --allow-plugin {ref}")
        profile, url, ca_file = (options.get(name) for name in ("profile", "endpoint_url", "ca_file"))
        if profile is not None and profile not in self.profiles:
            rule = "whose credentials sign the requests is not a fleet file's to choose"
            yield Problem(f"{where}.options.profile", str(profile), rule, f"give --allow-profile {profile}")
        if url is not None and url not in self.endpoint_urls and not is_loopback_url(str(url)):
            rule = "where requests go that are signed with your credentials is not a fleet file's to choose"
            yield Problem(f"{where}.options.endpoint_url", str(url), rule, "give --allow-endpoint-url URL")
        if ca_file is not None and not lies_in(str(ca_file), (folder, self.root)):
            rule = "lies outside the fleet file's folder"
            yield Problem(f"{where}.options.ca_file", str(ca_file), rule, "give --payload-root, or --ca-file for all")
