"""The table of runtime API answers: status, code and original status to kind and detail."""

from __future__ import annotations

import json
from collections.abc import Mapping

import botocore.loaders
import botocore.retries.standard as botocore_retries
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.measure.outcome import Kind
from loadtest.targets.classify import THROTTLING_CODES, classify, classify_event, error_of


@pytest.mark.parametrize(
    ("status", "code", "original", "kind", "detail"),
    [
        (200, None, None, Kind.OK, ""),
        (202, None, None, Kind.OK, ""),
        (299, "ModelError", 500, Kind.OK, ""),
        (424, "ModelError", 500, Kind.MODEL_ERROR, "424/500"),
        (424, "ModelError", 400, Kind.MODEL_ERROR, "424/400"),
        (424, "ModelError", 0, Kind.MODEL_ERROR, "424/0"),  # the container timed out
        (424, "ModelError", None, Kind.MODEL_ERROR, "424"),
        (424, None, None, Kind.MODEL_ERROR, "424"),
        (400, "ModelError", 503, Kind.MODEL_ERROR, "400/503"),
        (400, "ThrottlingException", None, Kind.THROTTLED, "ThrottlingException"),
        (400, "Throttling", None, Kind.THROTTLED, "Throttling"),
        (503, "SlowDown", None, Kind.THROTTLED, "SlowDown"),
        (503, "ThrottlingException", None, Kind.THROTTLED, "ThrottlingException"),
        (429, "TooManyRequestsException", None, Kind.THROTTLED, "TooManyRequestsException"),
        (429, "ModelNotReadyException", None, Kind.THROTTLED, "ModelNotReadyException"),
        (429, None, None, Kind.THROTTLED, "429"),
        (429, "", None, Kind.THROTTLED, "429"),
        (400, "ValidationError", None, Kind.CLIENT_ERROR, "ValidationError"),
        (403, "AccessDeniedException", None, Kind.CREDENTIALS, "AccessDeniedException"),
        (403, "ExpiredTokenException", None, Kind.CREDENTIALS, "ExpiredTokenException"),
        (500, "AccessDeniedException", None, Kind.SERVER_ERROR, "AccessDeniedException"),
        (404, None, None, Kind.CLIENT_ERROR, "404"),
        (413, "413", None, Kind.CLIENT_ERROR, "413"),
        (500, "InternalFailure", None, Kind.SERVER_ERROR, "InternalFailure"),
        (503, "ServiceUnavailable", None, Kind.SERVER_ERROR, "ServiceUnavailable"),
        (530, "InternalDependencyException", None, Kind.SERVER_ERROR, "InternalDependencyException"),
        (504, None, None, Kind.SERVER_ERROR, "504"),
        (302, None, None, Kind.MALFORMED, "302"),
        (101, None, None, Kind.MALFORMED, "101"),
        (0, None, None, Kind.MALFORMED, "0"),
        (999, "InternalFailure", None, Kind.MALFORMED, "999"),
    ],
)
def test_classify(status: int, code: str | None, original: int | None, kind: Kind, detail: str) -> None:
    assert classify(status, code, original) == (kind, detail)


@pytest.mark.parametrize(
    ("exception_type", "error_code", "kind", "detail"),
    [
        ("ModelStreamError", "StreamBroken", Kind.MODEL_ERROR, "ModelStreamError/StreamBroken"),
        ("ModelStreamError", None, Kind.MODEL_ERROR, "ModelStreamError"),
        ("ModelStreamError", "two words", Kind.MODEL_ERROR, "ModelStreamError"),
        ("InternalStreamFailure", None, Kind.SERVER_ERROR, "InternalStreamFailure"),
        ("ThrottlingException", None, Kind.THROTTLED, "ThrottlingException"),
        ("something new", None, Kind.SERVER_ERROR, "stream"),
        ("", None, Kind.SERVER_ERROR, "stream"),
        (None, None, Kind.SERVER_ERROR, "stream"),
    ],
)
def test_classify_event(exception_type: str | None, error_code: str | None, kind: Kind, detail: str) -> None:
    assert classify_event(exception_type, error_code) == (kind, detail)


def test_every_error_of_the_service_model_is_told_apart() -> None:
    shapes = botocore.loaders.Loader().load_service_model("sagemaker-runtime", "service-2")["shapes"]
    statuses = {name: shape["error"]["httpStatusCode"] for name, shape in shapes.items() if "error" in shape}
    assert {name: classify(status, name)[0] for name, status in statuses.items()} == {
        "InternalDependencyException": Kind.SERVER_ERROR,
        "InternalFailure": Kind.SERVER_ERROR,
        "ModelError": Kind.MODEL_ERROR,
        "ModelNotReadyException": Kind.THROTTLED,
        "ServiceUnavailable": Kind.SERVER_ERROR,
        "ValidationError": Kind.CLIENT_ERROR,
    }


def test_the_codes_that_botocore_takes_for_throttling_are_known() -> None:
    theirs = set(botocore_retries.ThrottledRetryableChecker()._throttled_error_codes)
    # These two say that an earlier request is still under way, not that requests come too fast.
    assert theirs - THROTTLING_CODES == {"PriorRequestNotComplete", "TransactionInProgressException"}


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"", (None, None)),
        ({"x-amzn-errortype": "ModelError"}, b"", ("ModelError", None)),
        ({"X-Amzn-ErrorType": "ModelError:http://internal.amazon.com/coral/"}, b"", ("ModelError", None)),
        ({"x-amzn-ErrorType": "com.amazonaws.sagemaker#ValidationError"}, b"", ("ValidationError", None)),
        ({"x-amzn-ErrorType": "a#B:c#d"}, b"", ("B", None)),
        ({"x-amzn-ErrorType": "ModelError"}, b'{"OriginalStatusCode":500}', ("ModelError", 500)),
        ({}, b'{"code":"ThrottlingException"}', ("ThrottlingException", None)),
        ({}, b'{"Code":"ModelError","OriginalStatusCode":"503"}', ("ModelError", 503)),
        ({}, b'{"__type":"com.amazonaws#ServiceUnavailable"}', ("ServiceUnavailable", None)),
        ({}, b'{"code":"A","__type":"B"}', ("A", None)),
        ({"x-amzn-errortype": "H"}, b'{"code":"A"}', ("H", None)),
        ({"x-amzn-errortype": ""}, b'{"code":"A"}', ("A", None)),
        ({}, b'{"code":413}', ("413", None)),
        ({}, b'{"code":null,"__type":"B"}', ("B", None)),
        ({}, b"<html>Bad gateway</html>", (None, None)),
        ({}, b'["ModelError"]', (None, None)),
        ({}, b'{"code":{"a":1},"OriginalStatusCode":[500]}', (None, None)),
        ({}, b'{"code":true,"OriginalStatusCode":true}', (None, None)),
        ({}, b'{"OriginalStatusCode":-1}', (None, None)),
        ({}, b'{"OriginalStatusCode":1e99}', (None, None)),
        ({}, b'{"OriginalStatusCode":12345678901234567890}', (None, None)),
        ({}, '{"OriginalStatusCode":"²"}'.encode(), (None, None)),
        ({}, b'{"code":"line\\nbreak"}', (None, None)),
        ({}, b'{"code":"' + b"x" * 129 + b'"}', (None, None)),
        ({}, b"\xff\xfe\x00", (None, None)),
        ({}, b'{"code":' + b"[" * 100_000, (None, None)),
        ({}, b'{"code":"A","pad":"' + b"x" * (1 << 20) + b'"}', ("A", None)),
        ({}, b'["code":"A", "OriginalStatusCode": 500', (None, None)),
        ({}, b'{"OriginalStatusCode": 500.0}', (None, 500)),
        ({}, b'{"OriginalStatusCode": "500.00"}', (None, 500)),
        ({}, b'{"OriginalStatusCode": 500.5}', (None, None)),
        ({}, b'{"OriginalStatusCode": "5e2"}', (None, None)),
        ({}, b'{"OriginalStatusCode": NaN}', (None, None)),
        # What was kept of a longer body: the middle is missing, or the end.
        ({}, b'{"OriginalMessage":"a\\', (None, None)),
        ({}, b'{"OriginalMessage":"a\\n","OriginalStatusCode":500.0}"}', (None, 500)),
        ({}, b'{"OriginalMessage":"\\"OriginalStatusCode\\":400', (None, None)),
        ({}, b'{"OriginalStatusCode":500,"OriginalMessage":"a', (None, 500)),
        ({}, b'{"OriginalStatusCode":5001,"OriginalMessage":"a', (None, None)),
        ({}, b'{"message":"Received client error (415) from primary with message \\"a', (None, 415)),
        ({}, b'{"__type":"a#ModelError","message":"a', ("ModelError", None)),
    ],
)
def test_error_of(headers: Mapping[str, str], body: bytes, expected: tuple[str | None, int | None]) -> None:
    assert error_of(headers, body) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["code", "__type", "OriginalStatusCode"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["x-amzn-ErrorType", "x"]), st.text()), st.binary() | JSON.map(json.dumps))
def test_no_answer_makes_it_raise_or_gives_a_long_name(headers: dict[str, str], body: bytes | str) -> None:
    code, original = error_of(headers, body if isinstance(body, bytes) else body.encode())
    assert code is None or 0 < len(code) <= 128
    assert original is None or 0 <= original <= 999
    for status in (200, 302, 400, 424, 429, 500, 530):
        assert len(classify(status, code, original)[1]) <= 128
