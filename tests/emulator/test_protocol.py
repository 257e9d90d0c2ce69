"""AWS JSON 1.1 without a socket; botocore's own parser is the partner that reads the replies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.emulator.model import JOB_OPERATIONS, TAG_OPERATIONS, operation
from loadtest.emulator.protocol import Call, Reply, WireError, failure, operation_name, parse, success

CREATE = "CreateInferenceRecommendationsJob"
LIST = "ListInferenceRecommendationsJobs"
MEMBERS = ("JobName", "JobType", "InputConfig", "TrafficPattern", "Phases", "Tags", "MaxResults", "CreationTimeAfter")


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8")


def _parsed(reply: Reply, name: str) -> dict[str, Any]:
    response = {"status_code": reply.status, "headers": HeadersDict(reply.headers), "body": reply.body}
    parsed: dict[str, Any] = create_parser("json").parse(response, operation(name).output_shape)
    return parsed


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'{"JobName": "\x80"}',
        b'{"JobName": "\\ud800"}',
        b'{"JobName": "a\nb"}',
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b'{"MaxResults": NaN}',
        b'{"MaxResults": Infinity}',
        b'{"MaxResults": 1e999}',
        b'{"MaxResults": ' + b"9" * 5000 + b"}",
        b'{"X": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"X": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"X": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
        b'{"a": 1} {"b": 2}',
        b'{"MaxResults": "5"}',
        b'{"MaxResults": {}}',
    ],
)
@pytest.mark.parametrize("name", [CREATE, LIST])
def test_hostile_bodies_are_refused_as_aws_does(body: bytes, name: str) -> None:
    if name == CREATE and b"MaxResults" in body and body.endswith((b'"5"}', b"{}}")):
        pytest.skip("MaxResults is unknown there, so its type is nobody's business")
    with pytest.raises(WireError) as caught:
        parse(name, body)
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)


@pytest.mark.parametrize("body", [b"", b"  ", b"{}"])
def test_an_empty_body_is_an_empty_request(body: bytes) -> None:
    assert parse(LIST, body).params == {}


def test_all_violations_at_once() -> None:
    with pytest.raises(WireError) as caught:
        parse(LIST, b'{"MaxResults": 101, "SortBy": "x", "NameContains": "*"}')
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("3 validation errors detected: ")


def test_bounds_of_lists_of_jobs_hold_in_every_profile() -> None:
    with pytest.raises(WireError):
        parse(LIST, b'{"MaxResults": 101}', capacity_bounds=False)


@pytest.mark.parametrize(
    ("target", "expected"),
    [("SageMaker.ListTags", "ListTags"), ("SageMaker.", ""), ("Logs_20140328.GetLogEvents", None), ("", None)],
)
def test_operation_name(target: str, expected: str | None) -> None:
    assert operation_name(target) == expected


def test_a_result_is_read_back_by_botocore() -> None:
    result = {
        "InferenceRecommendationsJobs": [{"JobName": "Größe", "CreationTime": 1664922919.25}],
        "NextToken": "t",
    }
    reply = success(LIST, result, "id-1")
    parsed = _parsed(reply, LIST)
    assert parsed["InferenceRecommendationsJobs"][0]["JobName"] == "Größe"
    assert parsed["InferenceRecommendationsJobs"][0]["CreationTime"].timestamp() == 1664922919.25
    assert parsed["ResponseMetadata"]["RequestId"] == "id-1"
    assert dict(reply.headers)["Content-Type"] == "application/x-amz-json-1.1"
    assert int(dict(reply.headers)["Content-Length"]) == len(reply.body)


def test_stop_answers_with_an_empty_body() -> None:
    assert success("StopInferenceRecommendationsJob", {}, "id").body == b""


def test_a_result_with_an_unknown_member_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="no member Jobs"):
        success(LIST, {"Jobs": []}, "id")


def test_nan_never_reaches_the_wire() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        success(CREATE, {"JobArn": float("nan")}, "id")


def test_an_error_is_read_back_by_botocore() -> None:
    parsed = _parsed(failure("ResourceNotFound", "no \u00fc", 400, "id-2"), "DescribeInferenceRecommendationsJob")
    assert parsed["Error"] == {"Code": "ResourceNotFound", "Message": "no \u00fc"}
    assert json.loads(failure("X", "m", 400, "id").body) == {"__type": "X", "message": "m"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(MEMBERS), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from([*JOB_OPERATIONS, *TAG_OPERATIONS]), body=st.binary() | _JSON.map(_dumped))
def test_any_body_is_a_call_or_a_refusal_in_the_form_of_aws(name: str, body: bytes) -> None:
    try:
        outcome: Call | WireError = parse(name, body)
    except WireError as refusal:
        outcome = refusal
    if isinstance(outcome, Call):
        json.dumps(outcome.params, allow_nan=False, ensure_ascii=False).encode("utf-8")
        return
    assert (outcome.code, outcome.status) in (("SerializationException", 400), ("ValidationException", 400))
    reply = failure(outcome.code, outcome.message, outcome.status, "id")
    assert json.loads(reply.body)["message"] == outcome.message
