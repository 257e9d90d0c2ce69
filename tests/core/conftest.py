"""Job requests and job specs for the core's tests."""

import copy
import json

import pytest
from hypothesis import settings
from places import JOBS

# A busy machine may take long for one example; that is no fault of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def _advanced() -> dict:
    return {
        "JobName": "job",
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "InputConfig": {
            "ModelPackageVersionArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1",
            "JobDurationInSeconds": 7200,
            "TrafficPattern": {
                "TrafficType": "PHASES",
                "Phases": [{"InitialNumberOfUsers": 1, "SpawnRate": 1, "DurationInSeconds": 120}],
            },
            "ResourceLimit": {"MaxNumberOfTests": 3, "MaxParallelOfTests": 1},
            "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
        },
        "StoppingConditions": {
            "MaxInvocations": 1000,
            "ModelLatencyThresholds": [{"Percentile": "P95", "ValueInMilliseconds": 100}],
        },
    }


@pytest.fixture
def advanced() -> dict:
    """A request that every profile accepts; a new one for each test."""
    return copy.deepcopy(_advanced())


@pytest.fixture
def job_file():
    """Reads a request of tests/data/jobs by the start of its name."""

    def read(name: str) -> dict:
        (path,) = JOBS.rglob(f"{name}*.json")
        return json.loads(path.read_text())

    return read
