"""The fleet file: how mock endpoints behave and which real targets stand in for them; read, merged and checked.

`fleet.yaml` in this package is the built-in one and documents every member. A user's file (YAML or JSON) is laid over
it: mappings are merged member by member, lists and numbers replace. `model` without `models` drops the built-in
`models`: who describes their model wants it everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from loadtest.core.request.findings import Findings, nearest, shown
from loadtest.core.request.findings import Path as Place
from loadtest.core.traffic.plan import TargetRef
from loadtest.jobs.fleet_model import EnvironmentNames, ModelWork
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.reader import Reader
from loadtest.jobs.yaml_file import text_of, yaml_mapping

__all__ = ["Accelerator", "FleetFile", "SearchPlan", "ServerlessModel", "StandIn"]

_FACTS = ("domain", "task", "framework", "nearest_model")
_OPEN = {("cpu_speed",), ("accelerators",), ("instances",), ("endpoints",)}  # mappings whose keys are the user's


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Accelerators of an instance type. speed: of one, 1 is the reference; streams: requests it works on at once."""

    speed: float
    streams: int


@dataclass(frozen=True, slots=True)
class ServerlessModel:
    """How serverless endpoints behave, and which ones Default jobs try."""

    mb_per_vcpu: float
    speed: float
    setup_ms: float
    setup_ms_per_gb: float
    memory_sizes_mb: tuple[int, ...]
    max_concurrency: int


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What bounds the search of Default jobs. users: its fewest first, its most last. level_s: the longest stay."""

    users: tuple[int, ...]
    level_s: float


@dataclass(frozen=True, slots=True)
class StandIn:
    """What an instance type or an existing endpoint is: a target, or an instance type; None: not given.

    options: of the target, as in TargetRef. usd_per_hour: of one instance; None: the price of its type.
    """

    target: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    instance_type: str | None = None
    instance_count: int = 1
    usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class FleetFile:
    """A checked fleet file; the members are those of `fleet.yaml`."""

    model: ModelWork
    models: tuple[tuple[Mapping[str, str], Mapping[str, Any]], ...]
    cpu_speed: Mapping[str, float]
    accelerators: Mapping[str, Accelerator]
    environment: EnvironmentNames
    serverless: ServerlessModel
    queue: int
    search: SearchPlan
    candidates: tuple[tuple[Mapping[str, str], tuple[str, ...]], ...]
    instances: Mapping[str, StandIn]
    endpoints: Mapping[str, StandIn]
    existing_endpoint_type: str

    @classmethod
    def load(cls, path: Path | None = None) -> FleetFile:
        """The built-in file with `path` laid over it. Raises SpecError with every problem."""
        text = resources.files("loadtest.jobs").joinpath("fleet.yaml").read_text("utf-8")
        values: dict[str, Any] = yaml.safe_load(text)
        if path is None:
            return _checked(values, "fleet.yaml")
        given = yaml_mapping(path, text_of(path), "must be a mapping")
        if "model" in given and "models" not in given:
            values["models"] = []
        findings = Findings(where=f"{path}: ")
        merged = _merged(values, given, (), findings)
        findings.raise_errors()
        return _checked(merged, str(path))

    def work_of(self, facts: ModelFacts) -> ModelWork:
        """The work of a model of which `facts` are known."""
        laid = next((values for when, values in self.models if _fits(when, facts)), {})
        own = {field.name: getattr(self.model, field.name) for field in fields(ModelWork)}
        return ModelWork(**{**own, **laid})

    def speed_of(self, family: str) -> float:
        """The speed of one vCPU of an instance family."""
        known = [name for name in self.cpu_speed if family.startswith(name)]
        return self.cpu_speed[max(known, key=len)] if known else self.cpu_speed.get("other", 1.0)

    def candidates_for(self, facts: ModelFacts) -> tuple[str, ...]:
        """The instance types that a Default job tries if the model names none."""
        return next((types for when, types in self.candidates if _fits(when, facts)), ())


def _fits(when: Mapping[str, str], facts: ModelFacts) -> bool:
    return all((getattr(facts, name) or "").upper() == value.upper() for name, value in when.items())


def _merged(base: Mapping[str, Any], given: Mapping[str, Any], path: Place, findings: Findings) -> dict[str, Any]:
    """`given` over `base`; what `base` does not have is a problem, unless its keys are the user's to choose."""
    merged = dict(base)
    for name, value in given.items():
        known = base.get(name)
        if name not in base and path not in _OPEN:
            advice = nearest(name, base) or f"the members are {', '.join(base)}"
            findings.error((*path, name), "", "there is no such member", advice)
        elif isinstance(known, dict) and isinstance(value, dict):
            merged[name] = _merged(known, value, (*path, name), findings)
        elif isinstance(known, dict):
            findings.error((*path, name), shown(value), "must be a mapping")
        else:
            merged[name] = value
    return merged


def _checked(values: Mapping[str, Any], where: str) -> FleetFile:
    read = Reader(where)
    file = FleetFile(
        model=ModelWork(**_work(read, ("model",), values["model"])),
        models=tuple(
            (_when(read, path, entry), _work(read, path, _without(entry, "when")))
            for path, entry in read.items(("models",), values["models"])
        ),
        cpu_speed={name: read.number(("cpu_speed", name), v, 0.01) for name, v in values["cpu_speed"].items()},
        accelerators=_accelerators(read, values["accelerators"]),
        environment=EnvironmentNames(
            *(read.texts(("environment", name), values["environment"][name]) for name in ("threads", "workers"))
        ),
        serverless=_serverless(read, values["serverless"]),
        queue=read.whole(("queue",), values["queue"], 0),
        search=_search(read, values["search"]),
        candidates=tuple(
            (_when(read, path, entry), read.instance_types((*path, "instances"), entry.get("instances")))
            for path, entry in read.items(("candidates",), values["candidates"])
        ),
        instances=_stand_ins(read, "instances", values["instances"]),
        endpoints=_stand_ins(read, "endpoints", values["endpoints"]),
        existing_endpoint_type=read.instance_type(("existing_endpoint_type",), values["existing_endpoint_type"]),
    )
    read.findings.raise_errors()
    return file


def _accelerators(read: Reader, values: Mapping[str, Any]) -> dict[str, Accelerator]:
    found = {}
    for name, value in values.items():
        path: Place = ("accelerators", name)
        entry = read.mapping(path, value)
        speed = read.number((*path, "speed"), entry.get("speed", 1.0), 0.01)
        found[name] = Accelerator(speed, read.whole((*path, "streams"), entry.get("streams", 1)))
    return found


def _serverless(read: Reader, values: Mapping[str, Any]) -> ServerlessModel:
    least = {"mb_per_vcpu": 1.0, "speed": 0.01, "setup_ms": 0.0, "setup_ms_per_gb": 0.0}
    return ServerlessModel(
        **{name: read.number(("serverless", name), values[name], low) for name, low in least.items()},
        memory_sizes_mb=read.wholes(("serverless", "memory_sizes_mb"), values["memory_sizes_mb"]),
        max_concurrency=read.whole(("serverless", "max_concurrency"), values["max_concurrency"]),
    )


def _search(read: Reader, values: Mapping[str, Any]) -> SearchPlan:
    users = read.wholes(("search", "users"), values["users"])
    if list(users) != sorted(set(users)):
        read.wrong(("search", "users"), list(users), "must rise")
    return SearchPlan(users, read.number(("search", "level_s"), values["level_s"], 1))


def _without(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def _when(read: Reader, path: Place, entry: Mapping[str, Any]) -> Mapping[str, str]:
    when = read.mapping((*path, "when"), entry.get("when"))
    for name, value in when.items():
        if name not in _FACTS or not isinstance(value, str):
            read.wrong((*path, "when", name), value, f"must be a text for one of {', '.join(_FACTS)}")
    return when


def _work(read: Reader, path: Place, entry: object) -> dict[str, Any]:
    known = {field.name for field in fields(ModelWork)}
    found: dict[str, Any] = {}
    for name, value in read.mapping(path, entry).items():
        if name not in known:
            read.wrong((*path, name), value, f"there is no such member; they are {', '.join(sorted(known))}")
        elif name == "accelerator_ms" and value is None:
            found[name] = None
        else:
            found[name] = read.number((*path, name), value, 0.0, 1.0 if name == "parallel_share" else None)
    return found


def _stand_ins(read: Reader, kind: str, value: object) -> dict[str, StandIn]:
    known = {field.name for field in fields(StandIn)}
    found: dict[str, StandIn] = {}
    for name, entry in read.mapping((kind,), value).items():
        path: Place = (kind, name)
        members = read.mapping(path, entry)
        for member in sorted(map(str, set(members) - known)):
            read.wrong((*path, member), "", f"there is no such member; they are {', '.join(sorted(known))}")
        target, instance_type = members.get("target"), members.get("instance_type")
        if target is not None and not isinstance(target, str):
            read.wrong((*path, "target"), target, "must be a text")
            continue
        if instance_type is not None:
            instance_type = read.instance_type((*path, "instance_type"), instance_type)
        if kind == "instances":
            read.instance_type(path, name)
        options = read.mapping((*path, "options"), members.get("options", {}))
        if target is not None:
            read.target((*path, "target"), TargetRef(target, options))
        count = read.whole((*path, "instance_count"), members.get("instance_count", 1))
        usd = members.get("usd_per_hour")
        usd = None if usd is None else read.number((*path, "usd_per_hour"), usd, 1e-9)
        found[name] = StandIn(target, options, instance_type, count, usd)
    return found
