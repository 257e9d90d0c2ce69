"""What members mean together: each rule alone, in both profiles."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.core.request.findings import Findings
from loadtest.core.request.rules import check_rules, traffic_type


def changed(job: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`job` with another value at a dotted path; None takes the member out."""
    *folders, name = path.split(".")
    place = job
    for folder in folders:
        place = place.setdefault(folder, {})
    if value is None:
        place.pop(name)
    else:
        place[name] = value
    return job


def told(job: dict[str, Any], *, strict: bool = True) -> list[str]:
    findings = Findings(strict)
    check_rules(job, findings)
    return [problem.path for problem in findings.problems]


def test_a_job_that_keeps_them_all(advanced: dict[str, Any]) -> None:
    assert told(advanced) == []


TRAFFIC = "InputConfig.TrafficPattern"
STAIRS = {"DurationInSeconds": 600, "NumberOfSteps": 2, "UsersPerStep": 1}


@pytest.mark.parametrize(
    ("path", "value", "blamed", "relaxed_too"),
    [
        (TRAFFIC, None, TRAFFIC, True),
        ("InputConfig.EndpointConfigurations", None, "InputConfig.EndpointConfigurations", True),
        ("InputConfig.ModelPackageVersionArn", None, "InputConfig.ModelPackageVersionArn", False),
        ("InputConfig.ModelName", "m", "InputConfig.ModelName", True),
        ("JobType", "Default", TRAFFIC, False),
        (f"{TRAFFIC}.Stairs", STAIRS, f"{TRAFFIC}.Stairs", True),
        (f"{TRAFFIC}.TrafficType", "STAIRS", f"{TRAFFIC}.Stairs", True),
        (
            "InputConfig.ContainerConfig",
            {"PayloadConfig": {"SamplePayloadUrl": "s3://b/k.zip"}},
            "InputConfig.ContainerConfig.PayloadConfig.SamplePayloadUrl",
            False,
        ),
        (
            "InputConfig.EndpointConfigurations",
            [{"InstanceType": "ml.c5.xlarge"}] * 4,
            "InputConfig.EndpointConfigurations",
            True,
        ),
    ],
)
def test_each_rule(advanced: dict[str, Any], path: str, value: Any, blamed: str, relaxed_too: bool) -> None:
    job = changed(advanced, path, value)
    assert blamed in told(job)
    assert (blamed in told(job, strict=False)) is relaxed_too


@pytest.mark.parametrize(
    ("traffic", "kind"),
    [
        ({"TrafficType": "STAIRS", "Phases": []}, "STAIRS"),
        ({"Phases": []}, "PHASES"),
        ({"Stairs": {}}, "STAIRS"),
        ({"Stairs": {}, "Phases": []}, None),
        ({}, None),
    ],
)
def test_the_kind_of_traffic(traffic: dict[str, Any], kind: str | None) -> None:
    assert traffic_type(traffic) == kind
