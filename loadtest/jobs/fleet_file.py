"""The fleet file: how mock endpoints behave and which real targets stand in for them; read, merged and checked.

`fleet.yaml` in this package is the built-in one and documents every member. A user's file (YAML or JSON) is laid over
it: mappings are merged member by member, lists and numbers replace. `model` without `models` drops the built-in
`models`: who describes their model wants it everywhere.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import Problem, SpecError
from loadtest.jobs.fleet_model import EnvironmentNames, ModelWork
from loadtest.jobs.models import ModelFacts
from loadtest.targets.open import check_target_ref

__all__ = ["Accelerator", "FleetFile", "SearchPlan", "ServerlessModel", "StandIn"]

_FACTS = ("domain", "task", "framework", "nearest_model")
_OPEN = ("cpu_speed", "accelerators", "instances", "endpoints")  # mappings whose keys are the user's


@dataclass(frozen=True, slots=True)
class Accelerator:
    """speed: of one, 1 is the reference; streams: requests it works on at once."""

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
    """The load of Default jobs: users per level, seconds per level."""

    users: tuple[int, ...]
    level_s: float


@dataclass(frozen=True, slots=True)
class StandIn:
    """What an instance type or an existing endpoint is: a target, or an instance type; None: not given.

    options: of the target, as in TargetRef (region, endpoint_url, target_variant, ...).
    """

    target: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    instance_type: str | None = None
    instance_count: int = 1


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
        try:
            given = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
            raise SpecError([Problem(str(path), "", f"cannot be read: {problem}")]) from problem
        if not isinstance(given, dict):
            raise SpecError([Problem(str(path), "", "must be a mapping")])
        if "model" in given and "models" not in given:
            values["models"] = []
        problems: list[Problem] = []
        merged = _merged(values, given, str(path), problems)
        if problems:
            raise SpecError(problems)
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


def _merged(base: Mapping[str, Any], given: Mapping[str, Any], where: str, problems: list[Problem]) -> dict[str, Any]:
    """`given` over `base`; what `base` does not have is a problem, unless its keys are the user's to choose."""
    merged = dict(base)
    for name, value in given.items():
        path = f"{where}: {name}" if ": " not in where else f"{where}.{name}"
        known = base.get(name)
        if name not in base and where.rpartition(": ")[2] not in _OPEN:
            near = difflib.get_close_matches(str(name), list(base), n=1)
            advice = f"did you mean {near[0]}?" if near else f"the members are {', '.join(base)}"
            problems.append(Problem(path, "", "there is no such member", advice))
        elif isinstance(known, dict) and isinstance(value, dict):
            merged[name] = _merged(known, value, path, problems)
        elif isinstance(known, dict):
            problems.append(Problem(path, repr(value), "must be a mapping"))
        else:
            merged[name] = value
    return merged


class _Reader:
    """Reads members with their types and ranges, and collects what is wrong."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def wrong(self, path: str, value: object, rule: str) -> None:
        self.problems.append(Problem(f"{self.where}: {path}", repr(value), rule))

    def number(self, path: str, value: object, low: float = 0.0, high: float = math.inf) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.wrong(
                path,
                value,
                f"must be a number of at least {low:g}" + (f", at most {high:g}" if high < math.inf else ""),
            )
            return low
        return float(value)

    def whole(self, path: str, value: object, low: int = 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.wrong(path, value, f"must be a whole number of at least {low}")
            return low
        return value

    def texts(self, path: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self.wrong(path, value, "must be a list of texts")
            return ()
        return tuple(value)

    def wholes(self, path: str, value: object) -> tuple[int, ...]:
        if not isinstance(value, list) or not value:
            self.wrong(path, value, "must be a list of whole numbers")
            return (1,)
        return tuple(self.whole(f"{path}[{i}]", one) for i, one in enumerate(value))

    def mapping(self, path: str, value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.wrong(path, value, "must be a mapping")
            return {}
        return value

    def items(self, path: str, value: object) -> list[Mapping[str, Any]]:
        if not isinstance(value, list):
            self.wrong(path, value, "must be a list of mappings")
            return []
        return [self.mapping(f"{path}[{i}]", one) for i, one in enumerate(value)]

    def target(self, path: str, ref: TargetRef) -> None:
        try:
            check_target_ref(ref)
        except SpecError as found:
            for problem in found.problems:
                self.wrong(path, ref.ref, f"{problem.path}: {problem.rule}" if problem.path else problem.rule)


def _checked(values: Mapping[str, Any], where: str) -> FleetFile:
    read = _Reader(where)
    model = _work(read, "model", values["model"])
    serverless, search, names = values["serverless"], values["search"], values["environment"]
    file = FleetFile(
        model=ModelWork(**model),
        models=tuple(
            (_when(read, f"models[{i}]", entry), _work(read, f"models[{i}]", _without(entry, "when")))
            for i, entry in enumerate(read.items("models", values["models"]))
        ),
        cpu_speed={name: read.number(f"cpu_speed.{name}", v, 0.01) for name, v in values["cpu_speed"].items()},
        accelerators={
            name: Accelerator(
                read.number(f"accelerators.{name}.speed", read.mapping(name, entry).get("speed", 1.0), 0.01),
                read.whole(f"accelerators.{name}.streams", read.mapping(name, entry).get("streams", 1)),
            )
            for name, entry in values["accelerators"].items()
        },
        environment=EnvironmentNames(
            read.texts("environment.threads", names["threads"]), read.texts("environment.workers", names["workers"])
        ),
        serverless=ServerlessModel(
            mb_per_vcpu=read.number("serverless.mb_per_vcpu", serverless["mb_per_vcpu"], 1),
            speed=read.number("serverless.speed", serverless["speed"], 0.01),
            setup_ms=read.number("serverless.setup_ms", serverless["setup_ms"]),
            setup_ms_per_gb=read.number("serverless.setup_ms_per_gb", serverless["setup_ms_per_gb"]),
            memory_sizes_mb=read.wholes("serverless.memory_sizes_mb", serverless["memory_sizes_mb"]),
            max_concurrency=read.whole("serverless.max_concurrency", serverless["max_concurrency"]),
        ),
        queue=read.whole("queue", values["queue"], 0),
        search=SearchPlan(
            read.wholes("search.users", search["users"]), read.number("search.level_s", search["level_s"], 1)
        ),
        candidates=tuple(
            (_when(read, f"candidates[{i}]", entry), read.texts(f"candidates[{i}].instances", entry.get("instances")))
            for i, entry in enumerate(read.items("candidates", values["candidates"]))
        ),
        instances=_stand_ins(read, "instances", values["instances"]),
        endpoints=_stand_ins(read, "endpoints", values["endpoints"]),
        existing_endpoint_type=str(values["existing_endpoint_type"]),
    )
    if list(file.search.users) != sorted(set(file.search.users)):
        read.wrong("search.users", list(file.search.users), "must rise")
    if read.problems:
        raise SpecError(read.problems)
    return file


def _without(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


def _when(read: _Reader, path: str, entry: Mapping[str, Any]) -> Mapping[str, str]:
    when = read.mapping(f"{path}.when", entry.get("when"))
    for name, value in when.items():
        if name not in _FACTS or not isinstance(value, str):
            read.wrong(f"{path}.when.{name}", value, f"must be a text for one of {', '.join(_FACTS)}")
    return when


def _work(read: _Reader, path: str, entry: object) -> dict[str, Any]:
    known = {field.name for field in fields(ModelWork)}
    found: dict[str, Any] = {}
    for name, value in read.mapping(path, entry).items():
        if name not in known:
            read.wrong(f"{path}.{name}", value, f"there is no such member; they are {', '.join(sorted(known))}")
        elif name == "accelerator_ms" and value is None:
            found[name] = None
        else:
            found[name] = read.number(f"{path}.{name}", value, 0.0, 1.0 if name == "parallel_share" else math.inf)
    return found


def _stand_ins(read: _Reader, path: str, value: object) -> dict[str, StandIn]:
    known = {field.name for field in fields(StandIn)}
    found: dict[str, StandIn] = {}
    for name, entry in read.mapping(path, value).items():
        where = f"{path}.{name}"
        members = read.mapping(where, entry)
        for member in set(members) - known:
            read.wrong(
                f"{where}.{member}", members[member], f"there is no such member; they are {', '.join(sorted(known))}"
            )
        target, instance_type = members.get("target"), members.get("instance_type")
        if not all(text is None or isinstance(text, str) for text in (target, instance_type)):
            read.wrong(where, entry, "target and instance_type must be texts")
            continue
        options = read.mapping(f"{where}.options", members.get("options", {}))
        if target is not None:
            read.target(f"{where}.target", TargetRef(target, options))
        count = read.whole(f"{where}.instance_count", members.get("instance_count", 1))
        found[name] = StandIn(target, options, instance_type, count)
    return found
