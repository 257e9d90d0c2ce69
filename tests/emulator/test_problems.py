"""Every problem of a job request is in one answer, and each once, whoever finds it: model, prose rules, names, tags."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from emulator_client import post, small_job

from loadtest.emulator import protocol
from loadtest.emulator.server import EmulatorServer
from loadtest.errors import SpecError
from loadtest.jobs.check import checked_job

CREATE = "CreateInferenceRecommendationsJob"
Job = dict[str, Any]


def _phase(job: Job) -> dict[str, Any]:
    phase: dict[str, Any] = job["InputConfig"]["TrafficPattern"]["Phases"][0]
    return phase


def _put(job: Job, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        job = job.setdefault(name, {})
    job[last] = value


# Faults that do not touch each other: (words of the answer, what makes it).
MODEL: list[tuple[str, Callable[[Job], Any]]] = [
    ("at 'jobName'", lambda job: _put(job, "JobName", "a b")),
    ("Value null at 'roleArn'", lambda job: job.pop("RoleArn")),
    ("at 'jobDescription'", lambda job: _put(job, "JobDescription", "x" * 129)),
    ("phases.1.member.spawnRate'", lambda job: _phase(job).update(SpawnRate=-1)),
    ("vpcConfig.subnets'", lambda job: _put(job, "InputConfig.VpcConfig.Subnets", ["a b"])),
    ("vpcConfig.securityGroupIds'", lambda job: _put(job, "InputConfig.VpcConfig.SecurityGroupIds", [])),
    ("frameworkVersion'", lambda job: _put(job, "InputConfig.ContainerConfig.FrameworkVersion", "1.x ")),
    ("maxParallelOfTests'", lambda job: _put(job, "InputConfig.ResourceLimit.MaxParallelOfTests", 0)),
    ("flatInvocations'", lambda job: _put(job, "StoppingConditions.FlatInvocations", "Maybe")),
    ("tags.1.member.key'", lambda job: job.setdefault("Tags", [{}]).__setitem__(0, {"Key": "", "Value": "v"})),
]
RULES: list[tuple[str, Callable[[Job], Any]]] = [
    ("Nme: is not a valid member", lambda job: _put(job, "Nme", 1)),
    ("Phases[0].Duration: is not a valid member", lambda job: _phase(job).update(Duration=1)),
    ("Phases[0].DurationInSeconds: must be at most 3600", lambda job: _phase(job).update(DurationInSeconds=9999)),
    ("the first phase must start with at most 3", lambda job: _phase(job).update(InitialNumberOfUsers=9)),
    (
        "burstable instance types",
        lambda job: _put(job, "InputConfig.EndpointConfigurations", [{"InstanceType": "ml.t2.medium"}]),
    ),
    ("only one of ModelPackageVersionArn and ModelName", lambda job: _put(job, "InputConfig.ModelName", "m")),
    ("MaxInvocations: must be at least 1", lambda job: _put(job, "StoppingConditions.MaxInvocations", 0)),
    (
        "ModelLatencyThresholds[0].Percentile",
        lambda job: _put(
            job,
            "StoppingConditions.ModelLatencyThresholds",
            [{"Percentile": "P12", "ValueInMilliseconds": 9}],
        ),
    ),
    (
        "Tags[1].Key: must not begin with aws:",
        lambda job: job.setdefault("Tags", [{"Key": "k", "Value": "v"}]).append({"Key": "aws:x", "Value": "v"}),
    ),
    (
        "SamplePayloadUrl: must point to one archive",
        lambda job: _put(job, "InputConfig.ContainerConfig.PayloadConfig.SamplePayloadUrl", "s3://b/k"),
    ),
]


def _told(job: Job) -> str:
    """The message that refuses the job; "" if nothing does."""
    try:
        call = protocol.parse(CREATE, json.dumps(job).encode())
        checked_job(call.params, "aws")
    except protocol.WireError as refusal:
        return refusal.message
    except SpecError as refusal:
        return f"{len(refusal.problems)} found: {refusal}"
    return ""


def _with(*faults: tuple[str, Callable[[Job], Any]]) -> Job:
    job = copy.deepcopy(small_job("x"))
    for _, make in faults:
        make(job)
    return job


def _pairs() -> Iterator[tuple[Any, ...]]:
    yield from itertools.product(MODEL, RULES)
    yield from itertools.combinations(MODEL, 2)
    yield from itertools.combinations(RULES, 2)


def test_a_good_request_is_refused_by_nothing() -> None:
    assert _told(_with()) == ""


@pytest.mark.parametrize("fault", [*MODEL, *RULES], ids=lambda fault: fault[0])
def test_a_fault_alone_is_told_once(fault: Any) -> None:
    told = _told(_with(fault))
    if fault[0] == "vpcConfig.subnets'" or fault[0] == "vpcConfig.securityGroupIds'":
        assert told.startswith("2 "), "the other member is missing"
    else:
        assert told.startswith("1 "), told
    assert told.count(fault[0]) == 1


def test_any_two_faults_are_told_together_each_once() -> None:
    for first, second in _pairs():
        told = _told(_with(first, second))
        assert told.startswith(("2 ", "3 ")), (first[0], second[0], told)
        assert told.count(first[0]) == told.count(second[0]) == 1, (first[0], second[0], told)


def test_all_faults_are_told_in_one_answer_of_the_server(emulator: EmulatorServer) -> None:
    faults = [*MODEL, *RULES]
    status, document, _ = post(emulator.url, json.dumps(_with(*faults)).encode(), f"SageMaker.{CREATE}")
    assert (status, document["__type"]) == (400, "ValidationException")
    assert document["message"].startswith(f"{len(faults)} validation errors detected: ")
    for words, _ in faults:
        assert document["message"].count(words) == 1, words


def test_the_same_place_may_have_two_faults() -> None:
    """A list that is too long for the model and for MaxNumberOfTests; nothing that hangs on either is lost."""
    job = small_job("x")
    job["InputConfig"]["EndpointConfigurations"] = [{"InstanceType": "ml.c5.xlarge"}] * 11
    job["InputConfig"]["ResourceLimit"] = {"MaxNumberOfTests": 2}
    told = _told(job)
    assert told.startswith("2 validation errors detected: ")
    assert "Member must have length less than or equal to 10" in told
    assert "more configurations than MaxNumberOfTests, 2" in told


def test_tags_are_judged_as_a_whole_too() -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:inference-recommendations-job/x"
    tags = [{"Key": "", "Value": "v"}, {"Key": "aws:x", "Value": "v"}, {"Key": "k", "Value": "v"}]
    request = {"ResourceArn": arn, "Tags": [*tags, {"Key": "k", "Value": "w"}]}
    with pytest.raises(protocol.WireError) as caught:
        protocol.parse("AddTags", json.dumps(request).encode())
    told = caught.value.message
    assert told.startswith("3 validation errors detected: ")
    assert [told.count(words) for words in ("tags.1.member.key'", "must not begin with aws:", "is given twice")] == [
        1
    ] * 3


def test_a_thousand_problems_are_told_soon() -> None:
    job = small_job("x", Tags=[{"Key": "", "Value": "v", "Extra": 1}] * 900)
    told = _told(job)
    assert re.search(r"; and [0-9,]+ more$", told), told[-200:]
    assert len(told) < 1 << 20
