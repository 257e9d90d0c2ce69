"""A job as a commented YAML file, for somebody who goes on from there with an editor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.core.request.placeholder import placeholders

__all__ = ["written"]

_HEAD = """\
# A CreateInferenceRecommendationsJob request, as YAML, and in the member Loadtest what `loadtest` adds to it.
#
#   loadtest validate {file}    what AWS would refuse; with --profile relaxed, what a run would
#   loadtest preview {file}     the users over time
#   loadtest run {file}         run it
"""
_ABOVE = {
    "JobType": "Advanced: with traffic of its own. Default: AWS chooses the traffic, and there is none to run here.",
    "RoleArn": "Not used by a run.",
    "InputConfig.TrafficPattern.Stairs.DurationInSeconds": "Of all steps together. AWS takes 120 to 3600.",
    "InputConfig.TrafficPattern.Stairs.NumberOfSteps": "Step k has k times UsersPerStep users.",
    "InputConfig.TrafficPattern.Stairs.UsersPerStep": "AWS takes 1 to 3.",
    "InputConfig.TrafficPattern.Phases": "Users at the start of each phase, users that are added a minute, its length.",
    "InputConfig.ModelName": "Not used by a run.",
    "InputConfig.EndpointConfigurations": "Not used by a run: nothing is deployed.",
    "StoppingConditions": "Each ends the test; so does flat throughput, unless FlatInvocations is Continue.",
    "StoppingConditions.MaxInvocations": "Successes in a minute.",
}
_LOADTEST = """\
Loadtest:
  # http://HOST:PORT/invocations, sagemaker:ENDPOINT, mock:servers=4,service_ms=20, ...
  target: {target}
  # Request bodies: a file, a folder or an archive beside this file; without it one small JSON document.
  # payload: {{path: samples.tar.gz, content_type: application/json}}
  # A limit that is not met fails the run (exit code 99).
  gate: {gate}
  # options: {{window_s: 1, drain_s: 60, seed: 1}}
"""


def written(request: Mapping[str, Any], target: str, file: str, *, gate: bool = False) -> str:
    """The text of a job file. It reads back as `request` and `target`. file: its name, for the comments."""
    standing_in = placeholders(request)
    lines = list(_mapping(request, "", 0, standing_in))
    scenario = _LOADTEST.format(target=json.dumps(target), gate=json.dumps(gate))
    return "\n".join([_HEAD.format(file=file), *lines, "", scenario])


def _mapping(members: Mapping[str, Any], path: str, indent: int, standing_in: Sequence[str]) -> Iterator[str]:
    pad = "  " * indent
    for name, value in members.items():
        where = f"{path}.{name}" if path else name
        if where in standing_in:
            yield f"{pad}# A placeholder. {_ABOVE.get(where, '')}".rstrip()
        elif where in _ABOVE:
            yield f"{pad}# {_ABOVE[where]}"
        if isinstance(value, Mapping):
            yield f"{pad}{name}:"
            yield from _mapping(value, where, indent + 1, standing_in)
        elif isinstance(value, list):
            yield f"{pad}{name}:"
            # JSON is YAML: one item a line, as short as it is clear.
            yield from (f"{pad}  - {json.dumps(item)}" for item in value)
        else:
            yield f"{pad}{name}: {json.dumps(value)}"
