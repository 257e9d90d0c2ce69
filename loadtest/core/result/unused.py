"""What a job asks for that a run of one load test on one target has no use for. No clock, no I/O.

`loadtest run` sends the job's traffic to a target that exists. What the rest of a request is about, endpoints that are
made for it, is the recommender's part, which `loadtest recommend` and `loadtest serve` play. Nothing of it is dropped
without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Unused", "not_used", "unused_members"]

_MADE = "no endpoint is made for it"
_MODEL = "no model is deployed"
_RESULTS = "results stay in the run folder"
_BOTH = "loadtest recommend, loadtest serve"
_DEPLOY = "loadtest recommend --deploy"
_MADE_FOR_IT = f"{_DEPLOY}, loadtest serve"

# Path in the request -> (why a run has no use for it, the verbs that have; "": none has).
_RULES: Mapping[str, tuple[str, str]] = {
    "RoleArn": ("no role is assumed", _DEPLOY),
    "OutputConfig": (_RESULTS, ""),
    "Tags": ("nothing is created that could bear them", _MADE_FOR_IT),
    "InputConfig.ModelPackageVersionArn": (_MODEL, _MADE_FOR_IT),
    "InputConfig.ModelName": (_MODEL, _MADE_FOR_IT),
    "InputConfig.EndpointConfigurations": (_MADE, _BOTH),
    "InputConfig.ResourceLimit": ("one test is run", _BOTH),
    "InputConfig.VolumeKmsKeyId": (_MADE, _DEPLOY),
    "InputConfig.VpcConfig": (_MADE, _DEPLOY),
    "InputConfig.ContainerConfig.Domain": (_MODEL, _BOTH),
    "InputConfig.ContainerConfig.Task": (_MODEL, _BOTH),
    "InputConfig.ContainerConfig.Framework": (_MODEL, _BOTH),
    "InputConfig.ContainerConfig.FrameworkVersion": (_MODEL, ""),
    "InputConfig.ContainerConfig.NearestModelName": (_MODEL, _BOTH),
    "InputConfig.ContainerConfig.SupportedInstanceTypes": (_MADE, _BOTH),
    "InputConfig.ContainerConfig.SupportedEndpointType": (_MADE, _BOTH),
    "InputConfig.ContainerConfig.DataInputConfig": (_MODEL, ""),
    "InputConfig.ContainerConfig.SupportedResponseMIMETypes": ("answers of any type are taken", ""),
}


@dataclass(frozen=True, slots=True)
class Unused:
    """A member of the request that a run does not use. member: path in the request. why: a run has no use for it. verb:
    those of this program that have, between commas; "": none has.
    """

    member: str
    why: str
    verb: str = ""


def unused_members(request: Mapping[str, Any], endpoint_name: str | None = None) -> tuple[Unused, ...]:
    """Members that were given and are not used, in the order of the table above.

    endpoint_name: the endpoint that is tested, if it is one; other `Endpoints` of the request are not.
    """
    found = [Unused(path, why, verb) for path, (why, verb) in _RULES.items() if _member(request, path)]
    endpoints = _member(request, "InputConfig.Endpoints") or ()
    names = [str(each.get("EndpointName")) for each in endpoints if isinstance(each, Mapping)]
    if others := [name for name in names if name != endpoint_name]:
        found.append(Unused("InputConfig.Endpoints", f"not tested: {', '.join(others)}", _BOTH))
    return tuple(found)


def not_used(told: Iterable[Mapping[str, Any]]) -> str:
    """Members as a result keeps them, in a sentence; those with the same reason together; "" for none."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for each in told:
        name = str(each["member"]).rpartition(".")[2]
        by_reason.setdefault((each["why"], each["verb"]), []).append(name)
    return "; ".join(
        f"{', '.join(names)} ({why}{f'; {_used_by(verbs)} it' if verbs else ''})"
        for (why, verbs), names in by_reason.items()
    )


def _used_by(verbs: str) -> str:
    """`loadtest a and loadtest b use`."""
    first, *others = verbs.split(", ")
    return " and ".join((first, *others)) + (" use" if others else " uses")


def _member(request: Mapping[str, Any], path: str) -> Any:
    value: Any = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
