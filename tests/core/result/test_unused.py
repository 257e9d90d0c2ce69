"""No member of a request is left out without a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from loadtest.core.result.unused import not_used, unused_members
from loadtest.emulator.model import operation

# What a run uses, or shows: everything else is said not to be used.
USED = {
    "JobName",
    "JobType",
    "JobDescription",
    "InputConfig.JobDurationInSeconds",
    "InputConfig.TrafficPattern",
    "InputConfig.ContainerConfig.PayloadConfig",
    "StoppingConditions",
}


def members(shape: Any, path: str = "") -> Iterator[str]:
    """Paths of the members that a reason is given for: those of InputConfig and ContainerConfig one by one."""
    for name, member in shape.members.items():
        where = f"{path}{name}"
        if where in ("InputConfig", "InputConfig.ContainerConfig"):
            yield from members(member, f"{where}.")
        else:
            yield where


def test_every_member_of_the_api_is_used_or_said_not_to_be() -> None:
    request: dict[str, Any] = {}
    for path in members(operation("CreateInferenceRecommendationsJob").input_shape):
        place = request
        *folders, name = path.split(".")
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = [{"EndpointName": "a"}] if name == "Endpoints" else "given"
    told = {each.member for each in unused_members(request)}
    assert told == set(members(operation("CreateInferenceRecommendationsJob").input_shape)) - USED


def test_what_was_not_asked_for_is_not_mentioned() -> None:
    assert unused_members({"JobName": "a", "InputConfig": {"Endpoints": [{"EndpointName": "ep"}]}}, "ep") == ()
    (other,) = unused_members({"InputConfig": {"Endpoints": [{"EndpointName": "ep"}, {"EndpointName": "b"}]}}, "ep")
    verbs = "loadtest recommend, loadtest serve"
    assert (other.member, other.why, other.verb) == ("InputConfig.Endpoints", "not tested: b", verbs)


def test_whoever_makes_endpoints_is_named() -> None:
    request = {"RoleArn": "r", "Tags": [], "InputConfig": {"VpcConfig": {"a": 1}, "EndpointConfigurations": [1]}}
    verbs = {each.member: each.verb for each in unused_members({**request, "Tags": [1], "OutputConfig": {"a": 1}})}
    assert verbs == {
        "RoleArn": "loadtest recommend --deploy",
        "OutputConfig": "",
        "Tags": "loadtest recommend --deploy, loadtest serve",
        "InputConfig.EndpointConfigurations": "loadtest recommend, loadtest serve",
        "InputConfig.VpcConfig": "loadtest recommend --deploy",
    }


def test_what_was_not_used_is_one_sentence_with_equal_reasons_together() -> None:
    request = {
        "RoleArn": "r",
        "InputConfig": {"ModelName": "m", "EndpointConfigurations": [1], "ResourceLimit": {"a": 1}},
    }
    assert not_used(asdict(each) for each in unused_members({**request, "OutputConfig": {"a": 1}})) == (
        "RoleArn (no role is assumed; loadtest recommend --deploy uses it); OutputConfig (results stay in the run folder); "
        "ModelName (no model is deployed; loadtest recommend --deploy and loadtest serve use it); "
        "EndpointConfigurations (no endpoint is made for it; loadtest recommend and loadtest serve use it); "
        "ResourceLimit (one test is run; loadtest recommend and loadtest serve use it)"
    )
    assert not_used([]) == ""
