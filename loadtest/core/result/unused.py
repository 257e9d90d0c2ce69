"""What a job asks for that a run of one load test on one target has no use for. No clock, no I/O.

`loadtest run` sends the job's traffic to a target that exists. What the rest of a request is about, endpoints that are
made for it, is the recommender's part, which `loadtest serve` plays. Nothing of it is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Unused", "unused_members"]

_MADE = "no endpoint is made for it"
_MODEL = "no model is deployed"
_RESULTS = "results stay in the run folder"
_SERVE = "loadtest serve"

# Path in the request -> (why a run has no use for it, the verb that has; "": none has).
_RULES: Mapping[str, tuple[str, str]] = {
    "RoleArn": ("no role is assumed", ""),
    "OutputConfig": (_RESULTS, ""),
    "Tags": ("nothing is created that could bear them", _SERVE),
    "InputConfig.ModelPackageVersionArn": (_MODEL, _SERVE),
    "InputConfig.ModelName": (_MODEL, _SERVE),
    "InputConfig.EndpointConfigurations": (_MADE, _SERVE),
    "InputConfig.ResourceLimit": ("one test is run", _SERVE),
    "InputConfig.VolumeKmsKeyId": (_MADE, ""),
    "InputConfig.VpcConfig": (_MADE, ""),
    "InputConfig.ContainerConfig.Domain": (_MODEL, _SERVE),
    "InputConfig.ContainerConfig.Task": (_MODEL, _SERVE),
    "InputConfig.ContainerConfig.Framework": (_MODEL, _SERVE),
    "InputConfig.ContainerConfig.FrameworkVersion": (_MODEL, ""),
    "InputConfig.ContainerConfig.NearestModelName": (_MODEL, ""),
    "InputConfig.ContainerConfig.SupportedInstanceTypes": (_MADE, _SERVE),
    "InputConfig.ContainerConfig.SupportedEndpointType": (_MADE, _SERVE),
    "InputConfig.ContainerConfig.DataInputConfig": (_MODEL, ""),
    "InputConfig.ContainerConfig.SupportedResponseMIMETypes": ("answers of any type are taken", ""),
}


@dataclass(frozen=True, slots=True)
class Unused:
    """A member of the request that a run does not use. member: path in the request. why: a run has no use for it. verb:
    of this program that has one; "": none.
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
        found.append(Unused("InputConfig.Endpoints", f"not tested: {', '.join(others)}", _SERVE))
    return tuple(found)


def _member(request: Mapping[str, Any], path: str) -> Any:
    value: Any = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
