"""The framework's checks: types first, then every broken constraint at once, in AWS's words."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from places import JOBS
from service_model import OLDER

from loadtest.emulator.model import JOB_OPERATIONS, TAG_OPERATIONS, operation
from loadtest.emulator.validate import Unreadable, message, read, violations

CREATE = "CreateInferenceRecommendationsJob"
ROLE = "arn:aws:iam::123456789012:role/R"
GOOD = {"JobName": "job", "JobType": "Default", "RoleArn": ROLE, "InputConfig": {"ModelName": "m"}}


def _violations(params: Any, name: str = CREATE, *, capacity_bounds: bool = True) -> list[str]:
    shape = operation(name).input_shape
    assert shape is not None
    return [each.text for each in violations(read(params, shape), shape, capacity_bounds=capacity_bounds)]


def _with(**members: Any) -> dict[str, Any]:
    return {**GOOD, **members}


def _input(**members: Any) -> dict[str, Any]:
    return _with(InputConfig={"ModelName": "m", **members})


FAILED = "failed to satisfy constraint: "


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (GOOD, []),
        (
            {},
            [
                f"Value null at '{name}' {FAILED}Member must not be null"
                for name in ("jobName", "jobType", "roleArn", "inputConfig")
            ],
        ),
        (_with(JobName=None), [f"Value null at 'jobName' {FAILED}Member must not be null"]),
        (
            _with(JobType="ADVANCED"),
            [f"Value 'ADVANCED' at 'jobType' {FAILED}Member must satisfy enum value set: [Default, Advanced]"],
        ),
        (
            _with(JobName="a b"),
            [
                f"Value 'a b' at 'jobName' {FAILED}Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}"
            ],
        ),
        (
            _with(JobName="x" * 65),
            [f"Value '{'x' * 65}' at 'jobName' {FAILED}Member must have length less than or equal to 64"],
        ),
        (
            _with(JobName="job\n"),
            [
                f"Value 'job\n' at 'jobName' {FAILED}Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}"
            ],
        ),
        (
            _input(
                TrafficPattern={"Phases": [{"InitialNumberOfUsers": 1}, {"InitialNumberOfUsers": 0, "SpawnRate": -1}]}
            ),
            [
                f"Value '0' at 'inputConfig.trafficPattern.phases.2.member.initialNumberOfUsers' {FAILED}"
                "Member must have value greater than or equal to 1",
                f"Value '-1' at 'inputConfig.trafficPattern.phases.2.member.spawnRate' {FAILED}"
                "Member must have value greater than or equal to 0",
            ],
        ),
        (
            _input(TrafficPattern={"Stairs": {"UsersPerStep": 16}}),
            [
                f"Value '16' at 'inputConfig.trafficPattern.stairs.usersPerStep' {FAILED}"
                "Member must have value less than or equal to 3"
            ],
        ),
        (
            _input(TrafficPattern={"Phases": []}),
            [
                f"Value '[]' at 'inputConfig.trafficPattern.phases' {FAILED}"
                "Member must have length greater than or equal to 1"
            ],
        ),
        (
            _input(Endpoints=[{"EndpointName": "a"}, {"EndpointName": "b"}]),
            [
                f"Value '[{{endpointName=a}}, {{endpointName=b}}]' at 'inputConfig.endpoints' {FAILED}"
                "Member must have length less than or equal to 1"
            ],
        ),
        (
            _input(EndpointConfigurations=[{"ServerlessConfig": {"MemorySizeInMB": 1024}}]),
            [
                f"Value null at 'inputConfig.endpointConfigurations.1.member.serverlessConfig.maxConcurrency' {FAILED}"
                "Member must not be null"
            ],
        ),
        (
            _input(VpcConfig={"SecurityGroupIds": ["sg-1", "sg 2"], "Subnets": ["a"]}),
            [
                f"Value '[sg-1, sg 2]' at 'inputConfig.vpcConfig.securityGroupIds' {FAILED}"
                "Member must satisfy constraint: [Member must have length less than or equal to 32, "
                "Member must have length greater than or equal to 0, "
                "Member must satisfy regular expression pattern: [-0-9a-zA-Z]+]"
            ],
        ),
        (
            _with(Tags=[{"Key": "größe Ⅷ", "Value": "+-=._:/@ ok"}]),
            [],
        ),
        (
            _with(Tags=[{"Key": "a*", "Value": ""}]),
            [
                f"Value 'a*' at 'tags.1.member.key' {FAILED}Member must satisfy regular expression pattern: "
                r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
            ],
        ),
        (
            _with(Tags=[{"Key": "k", "Value": "v"}] * 51),
            None,
        ),
    ],
)
def test_violations_in_the_words_of_the_service(params: dict[str, Any], expected: list[str] | None) -> None:
    if OLDER and any("pattern" in words for words in expected or ()):
        pytest.skip("older copies of the model anchor their patterns and do not say a minimum of 0")
    found = _violations(params)
    if expected is None:
        assert len(found) == 1
        assert found[0].endswith(
            "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"
        )
    else:
        assert found == expected


def test_every_violation_is_in_one_message() -> None:
    text = message(_violations(_with(JobName="-", JobType="x", RoleArn="r")))
    assert text.startswith("4 validation errors detected: Value '-' at 'jobName'")
    assert text.count("; Value 'r' at 'roleArn'") == 2
    assert message(_violations(_with(JobType="x"))).startswith("1 validation error detected: ")


def test_unicode_letters_are_not_ascii_digits() -> None:
    # Java's \d is ASCII; Python's would take the Arabic-Indic digits.
    assert _violations(_with(RoleArn="arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/R"))


def test_every_character_of_a_tag_is_judged_by_its_class_of_unicode() -> None:
    allowed = {*"_.:/=+-@", *(chr(c) for c in range(0x110000) if unicodedata.category(chr(c))[0] in "LZN")}
    for first in range(0, 0x110000, 256):
        block = "".join(chr(c) for c in range(first, first + 256) if not 0xD800 <= c < 0xE000)
        good = "".join(c for c in block if c in allowed)
        assert _violations(_with(Tags=[{"Key": "k", "Value": good}])) == [], hex(first)
        for c in set(block) - allowed if first < 0x3000 else set(block[:2]) - allowed:
            assert len(_violations(_with(Tags=[{"Key": "k", "Value": c}]))) == 1, hex(ord(c))


@pytest.mark.parametrize("name", sorted({*JOB_OPERATIONS, *TAG_OPERATIONS}))
def test_every_pattern_of_an_operation_that_is_answered_here_can_be_checked(name: str) -> None:
    def patterns(shape: Any, seen: set[str]) -> Iterator[str]:
        if shape.name in seen:
            return
        seen.add(shape.name)
        if "pattern" in shape.metadata:
            yield shape.metadata["pattern"]
        for below in getattr(shape, "members", {}).values():
            yield from patterns(below, seen)
        if shape.type_name == "list":
            yield from patterns(shape.member, seen)

    for pattern in patterns(operation(name).input_shape, set()):
        assert "\\p" not in pattern.replace(r"\p{L}\p{Z}\p{N}_", "")


def test_relaxed_profile_lifts_capacity_bounds_only() -> None:
    many = _input(
        TrafficPattern={"Stairs": {"UsersPerStep": 200}},
        EndpointConfigurations=[{"InstanceType": "ml.c5.large"}] * 12,
    )
    assert len(_violations(many)) == 2
    assert _violations(many, capacity_bounds=False) == []
    assert _violations(_input(JobDurationInSeconds=0), capacity_bounds=False)
    assert _violations(_with(JobName="x" * 65), capacity_bounds=False)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (_with(JobName=7), "NUMBER_VALUE can not be converted to a String"),
        (_with(JobName=True), "BOOLEAN_VALUE can not be converted to a String"),
        (_with(JobName=["a"]), "START_ARRAY can not be converted to a String"),
        (_with(InputConfig="x"), "STRING_VALUE can not be converted to a Structure"),
        (_with(InputConfig=[]), "START_ARRAY can not be converted to a Structure"),
        (_with(Tags={}), "START_OBJECT can not be converted to a List"),
        (_with(Tags=["x"]), "STRING_VALUE can not be converted to a Structure"),
        (_input(JobDurationInSeconds="600"), "STRING_VALUE can not be converted to an Integer"),
        (_input(JobDurationInSeconds=True), "BOOLEAN_VALUE can not be converted to an Integer"),
        (_input(JobDurationInSeconds=600.5), "NUMBER_VALUE can not be converted to an Integer"),
        (_input(JobDurationInSeconds=2**31), "2147483648 is out of the range of an Integer"),
        (_input(JobDurationInSeconds=10**4000), "a number of over 40 digits is out of the range of an Integer"),
    ],
)
def test_wrong_json_types_cannot_be_read(params: dict[str, Any], expected: str) -> None:
    with pytest.raises(Unreadable) as caught:
        _violations(params)
    assert str(caught.value) == expected


def test_reading_normalises() -> None:
    shape = operation("ListInferenceRecommendationsJobs").input_shape
    assert shape is not None
    values = read({"CreationTimeAfter": 12, "MaxResults": 5.0, "NextToken": None, "Unknown": {"x": 1}}, shape)
    assert values == {"CreationTimeAfter": 12.0, "MaxResults": 5}
    assert type(values["CreationTimeAfter"]) is float
    assert type(values["MaxResults"]) is int
    with pytest.raises(Unreadable, match="out of the range of a Timestamp"):
        read({"CreationTimeAfter": 10**400}, shape)


def test_unknown_members_are_kept_on_request() -> None:
    shape = operation(CREATE).input_shape
    assert shape is not None
    params = _input(Endpoint=[{"deep": None}])
    assert read(params, shape)["InputConfig"] == {"ModelName": "m"}
    assert read(params, shape, keep_unknown=True)["InputConfig"] == {"ModelName": "m", "Endpoint": [{"deep": None}]}


@pytest.mark.parametrize("path", sorted(JOBS.glob("*-*.json")), ids=lambda path: path.stem)
def test_real_requests_break_nothing(path: Path) -> None:
    if path.stem == "observed-results":
        pytest.skip("not a request")
    assert _violations(json.loads(path.read_text())) == []


@pytest.mark.parametrize("name", [*JOB_OPERATIONS, *TAG_OPERATIONS])
def test_every_constraint_of_every_operation_can_be_checked(name: str) -> None:
    """A value for every member: patterns compile, and no shape is of a kind that the reader does not know."""
    shape = operation(name).input_shape
    assert shape is not None
    assert read(_sample(shape), shape)
    violations(_sample(shape), shape)


def _sample(shape: Any) -> Any:
    if shape.type_name == "structure":
        return {name: _sample(member) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [_sample(shape.member)]
    return "x" if shape.type_name == "string" else 1
