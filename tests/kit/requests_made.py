"""A small job request of the kind that a test of whole runs needs: stairs of users, in seconds."""

from __future__ import annotations

from typing import Any

__all__ = ["stairs_request"]


def stairs_request(name: str, *, users: int, steps: int, seconds: int, **stop: Any) -> dict[str, Any]:
    """`users` more at each of `steps`, `seconds` in all. stop: members of StoppingConditions besides FlatInvocations."""
    stairs = {"DurationInSeconds": seconds, "NumberOfSteps": steps, "UsersPerStep": users}
    return {
        "JobName": name,
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/Recommender",
        "InputConfig": {
            "ModelName": "m",
            "TrafficPattern": {"TrafficType": "STAIRS", "Stairs": stairs},
            "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
        },
        "StoppingConditions": {"FlatInvocations": "Continue", **stop},
    }
