"""What stands in a request for what its maker does not have, and why AWS would not take a request. No clock, no I/O.

A job for an endpoint that is not SageMaker's has no role, no model and no instance. The API wants them, so placeholders
stand there that nobody can take for real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.core.request.parse import parse_job
from loadtest.errors import Problem, SpecError

__all__ = ["PLACEHOLDER_INSTANCE", "PLACEHOLDER_MODEL", "PLACEHOLDER_ROLE", "aws_refusals", "placeholders"]

PLACEHOLDER_ROLE = "arn:aws:iam::000000000000:role/placeholder"
PLACEHOLDER_MODEL = "placeholder"
PLACEHOLDER_INSTANCE = "ml.m5.large"
_CONFIGURATIONS = "InputConfig.EndpointConfigurations"
_ADVICE = {
    "RoleArn": "give a role that SageMaker can assume",
    "InputConfig.ModelName": "give the model to deploy, or test an endpoint of SageMaker",
    _CONFIGURATIONS: "give the instance types to deploy it on, or test an endpoint of SageMaker",
}


def placeholders(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of the members that stand for nothing."""
    found = ["RoleArn"] if request.get("RoleArn") == PLACEHOLDER_ROLE else []
    inputs = request.get("InputConfig", {})
    if inputs.get("ModelName") == PLACEHOLDER_MODEL:
        found.append("InputConfig.ModelName")
        if inputs.get("EndpointConfigurations") == [{"InstanceType": PLACEHOLDER_INSTANCE}]:
            found.append(_CONFIGURATIONS)
    return tuple(found)


def aws_refusals(request: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Why AWS would not take a request as it stands, as far as that can be known here; (): it would."""
    found = [Problem(path, "", "is a placeholder", _ADVICE[path]) for path in placeholders(request)]
    try:
        parse_job(request, "aws")
    except SpecError as error:
        found += error.problems
    return tuple(found)
