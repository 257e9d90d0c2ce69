"""The boto3 target against a real server that answers right, wrong, late or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest
from runtime_server import RUNTIME_ERRORS, RuntimeServer

from loadtest.core.measure.outcome import Kind
from loadtest.errors import TargetError
from loadtest.targets.base import Payload, Target
from loadtest.targets.boto import BotoTarget
from loadtest.targets.boto_errors import classify_exception

REGION = {"region": "eu-west-1"}


@pytest.fixture(scope="module")
def shared_runtime() -> Iterator[RuntimeServer]:
    server = RuntimeServer()
    yield server
    server.close()


def open_boto(server: RuntimeServer, **options: Any) -> BotoTarget:
    return BotoTarget("ep", {**REGION, "endpoint_url": server.url, "read_timeout_s": 30, **options}, peak_users=4)


@pytest.fixture(scope="module")
def targets(shared_runtime: RuntimeServer) -> Iterator[dict[bool, BotoTarget]]:
    """Streamed or not -> a target."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "a")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        opened = {stream: open_boto(shared_runtime, stream=stream) for stream in (False, True)}
        yield opened
        for each in opened.values():
            each.close()


@pytest.fixture
def target(targets: dict[bool, BotoTarget]) -> BotoTarget:
    return targets[False]


EXPECTED: dict[str, tuple[Kind, int, str]] = {
    "ok": (Kind.OK, 200, ""),
    "ok-close": (Kind.OK, 200, ""),
    "ok-empty": (Kind.OK, 200, ""),
    "ok-large": (Kind.OK, 200, ""),
    "ok-chunked": (Kind.OK, 200, ""),
    "model-error-500": (Kind.MODEL_ERROR, 424, "424/500"),
    "model-error-400": (Kind.MODEL_ERROR, 424, "424/400"),
    "model-error-0": (Kind.MODEL_ERROR, 424, "424/0"),
    "model-error-float": (Kind.MODEL_ERROR, 424, "424/500"),
    "model-error-text": (Kind.MODEL_ERROR, 424, "424/500"),
    "model-error-large": (Kind.MODEL_ERROR, 424, "424/503"),
    "model-error-large-first": (Kind.MODEL_ERROR, 424, "424/502"),
    "model-error-large-chunked": (Kind.MODEL_ERROR, 424, "424/501"),
    "model-error-gzip": (Kind.MODEL_ERROR, 424, "424/507"),
    "model-error-gzip-large": (Kind.MODEL_ERROR, 424, "424/506"),
    "model-error-gzip-bomb": (Kind.MODEL_ERROR, 424, "424/507"),
    "model-error-gzip-broken": (Kind.MODEL_ERROR, 424, "424"),
    "model-error-deflate": (Kind.MODEL_ERROR, 424, "424/507"),
    "model-error-deflate-bare": (Kind.MODEL_ERROR, 424, "424/507"),
    "model-error-brotli": (Kind.MODEL_ERROR, 424, "424"),
    "model-error-untold": (Kind.MODEL_ERROR, 424, "424"),
    "type-in-body": (Kind.MODEL_ERROR, 424, "424/503"),
    "validation": (Kind.CLIENT_ERROR, 400, "ValidationError"),
    "code-in-body": (Kind.CLIENT_ERROR, 400, "ValidationError"),
    "denied": (Kind.CREDENTIALS, 403, "AccessDeniedException"),
    "token": (Kind.CREDENTIALS, 403, "UnrecognizedClientException"),
    "not-found": (Kind.CLIENT_ERROR, 404, "404"),
    "too-large": (Kind.CLIENT_ERROR, 413, "413"),
    "throttling": (Kind.THROTTLED, 400, "ThrottlingException"),
    "throttling-url": (Kind.THROTTLED, 400, "ThrottlingException"),
    "not-ready": (Kind.THROTTLED, 429, "ModelNotReadyException"),
    "too-many": (Kind.THROTTLED, 429, "429"),
    "slow-down": (Kind.THROTTLED, 503, "SlowDown"),
    "internal": (Kind.SERVER_ERROR, 500, "InternalFailure"),
    "internal-empty": (Kind.SERVER_ERROR, 500, "InternalFailure"),
    "not-json": (Kind.SERVER_ERROR, 500, "500"),
    "unavailable": (Kind.SERVER_ERROR, 503, "ServiceUnavailable"),
    "dependency": (Kind.SERVER_ERROR, 530, "InternalDependencyException"),
    "html": (Kind.SERVER_ERROR, 502, "502"),
    "gateway-timeout": (Kind.SERVER_ERROR, 504, "504"),
    "redirect": (Kind.MALFORMED, 307, "307 to /elsewhere"),
    "close": (Kind.CONNECTION, 0, "closed"),
    "reset": (Kind.CONNECTION, 0, "reset"),
    "reset-in-body": (Kind.CONNECTION, 200, "reset"),
    "truncated": (Kind.MALFORMED, 200, "truncated"),
    "truncated-chunks": (Kind.MALFORMED, 200, "truncated"),
    "bad-chunks": (Kind.MALFORMED, 200, "truncated"),  # http.client says so of a chunk size that is none
    "no-http": (Kind.MALFORMED, 0, "http"),
    "many-headers": (Kind.MALFORMED, 0, "http"),
}


def test_every_error_of_the_runtime_api_is_in_the_table() -> None:
    assert set(RUNTIME_ERRORS) <= set(EXPECTED)


@pytest.mark.parametrize("action", EXPECTED)
def test_an_answer_becomes_an_outcome_with_one_request(
    action: str, target: BotoTarget, shared_runtime: RuntimeServer
) -> None:
    before = len(shared_runtime.requests)
    outcome = target.invoke(Payload(f"{action} body".encode()))
    assert (outcome.kind, outcome.status, outcome.detail) == EXPECTED[action]
    assert len(shared_runtime.requests) == before + 1, "a retry hides what the endpoint did"
    assert 0 < outcome.sent_ns <= outcome.first_byte_ns <= outcome.done_ns
    assert not outcome.kernel_clock


@pytest.mark.parametrize(
    ("action", "bytes_in"), [("ok", 12), ("ok-empty", 0), ("ok-large", 300_000), ("ok-chunked", 8)]
)
def test_the_whole_body_is_read(action: str, bytes_in: int, target: BotoTarget) -> None:
    assert target.invoke(Payload(action.encode())).bytes_in == bytes_in


def test_an_error_body_counts_too(target: BotoTarget) -> None:
    body = RUNTIME_ERRORS["internal"].answer.partition(b"\r\n\r\n")[2]
    assert target.invoke(Payload(b"internal")).bytes_in == len(body)


@pytest.mark.parametrize(("action", "told_us"), [("ok-timed", 12345), ("ok-mistimed", None), ("ok", None)])
def test_the_endpoints_own_time(action: str, told_us: int | None, target: BotoTarget) -> None:
    outcome = target.invoke(Payload(action.encode()))
    assert outcome.ok
    assert outcome.model_latency_us == told_us


@pytest.mark.parametrize("action", ["hang", "hang-in-body"])
@pytest.mark.usefixtures("aws_env")
def test_no_answer_in_time(action: str, runtime: RuntimeServer) -> None:
    late = open_boto(runtime, read_timeout_s=0.2)
    outcome = late.invoke(Payload(action.encode()))
    assert (outcome.kind, outcome.detail) == (Kind.TIMEOUT, "read timeout")
    assert outcome.done_ns - outcome.sent_ns >= 200_000_000
    late.close()


@pytest.mark.usefixtures("aws_env")
def test_nobody_listens(runtime: RuntimeServer) -> None:
    target = open_boto(runtime)
    assert target.invoke(Payload(b"ok")).ok
    runtime.close()
    gone = [target.invoke(Payload(b"ok")) for _ in range(3)]
    # The first may still meet the pooled connection.
    assert gone[0].kind is Kind.CONNECTION
    assert [(outcome.kind, outcome.status, outcome.detail) for outcome in gone[1:]] == [
        (Kind.CONNECTION, 0, "refused"),
        (Kind.CONNECTION, 0, "refused"),
    ]
    target.close()


@pytest.mark.usefixtures("aws_env")
def test_a_connection_that_is_never_accepted() -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):  # the queue of a listener that does not accept is full after these
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        target = BotoTarget("ep", {**REGION, "endpoint_url": url, "connect_timeout_s": 0.2})
        outcome = target.invoke(Payload(b"ok"))
        target.close()
    assert (outcome.kind, outcome.status, outcome.detail) == (Kind.CONNECTION, 0, "connect timeout")


@pytest.mark.usefixtures("aws_env")
def test_tls_with_a_server_that_does_not_speak_it(runtime: RuntimeServer) -> None:
    target = open_boto(runtime, endpoint_url=runtime.url.replace("http:", "https:"))
    outcome = target.invoke(Payload(b"ok"))
    target.close()
    assert (outcome.kind, outcome.status) == (Kind.CONNECTION, 0)


@pytest.mark.parametrize(
    ("action", "kind", "status", "detail", "bytes_in"),
    [
        ("stream", Kind.OK, 200, "", 13),
        ("stream-empty", Kind.OK, 200, "", 0),
        ("stream-model", Kind.MODEL_ERROR, 200, "ModelStreamError", 3),
        ("stream-internal", Kind.SERVER_ERROR, 200, "InternalStreamFailure", 3),
        ("stream-bad-crc", Kind.MALFORMED, 200, "event stream", 0),
        ("stream-truncated-chunks", Kind.MALFORMED, 200, "truncated", 0),
        ("model-error-500", Kind.MODEL_ERROR, 424, "424/500", None),
        ("throttling", Kind.THROTTLED, 400, "ThrottlingException", None),
        ("close", Kind.CONNECTION, 0, "closed", 0),
    ],
)
def test_a_streamed_answer(
    action: str,
    kind: Kind,
    status: int,
    detail: str,
    bytes_in: int | None,
    targets: dict[bool, BotoTarget],
    shared_runtime: RuntimeServer,
) -> None:
    outcome = targets[True].invoke(Payload(action.encode()))
    assert (outcome.kind, outcome.status, outcome.detail) == (kind, status, detail)
    assert bytes_in is None or outcome.bytes_in == bytes_in
    assert shared_runtime.requests[-1].target == "/endpoints/ep/invocations-response-stream"
    assert (outcome.gaps_ns is not None) == outcome.ok
    assert len(outcome.gaps_ns or ()) == (2 if action == "stream" else 0)
    assert outcome.sent_ns + sum(outcome.gaps_ns or ()) < outcome.done_ns


@pytest.mark.usefixtures("aws_env")
def test_every_parameter_of_the_operation_is_sent(runtime: RuntimeServer) -> None:
    sent = {
        "accept": ("Accept", "text/csv"),
        "custom_attributes": ("X-Amzn-SageMaker-Custom-Attributes", "trace=1"),
        "enable_explanations": ("X-Amzn-SageMaker-Enable-Explanations", "`true`"),
        "inference_component_name": ("X-Amzn-SageMaker-Inference-Component", "component"),
        "inference_id": ("X-Amzn-SageMaker-Inference-Id", "id-1"),
        "session_id": ("X-Amzn-SageMaker-Session-Id", "NEW_SESSION"),
        "target_container_hostname": ("X-Amzn-SageMaker-Target-Container-Hostname", "host"),
        "target_model": ("X-Amzn-SageMaker-Target-Model", "model.tar.gz"),
        "target_variant": ("X-Amzn-SageMaker-Target-Variant", "blue"),
    }
    target = open_boto(runtime, **{option: value for option, (_, value) in sent.items()})
    assert target.invoke(Payload(b"ok", "text/plain")).ok
    target.close()
    request = runtime.requests[0]
    headers = dict(request.headers)
    assert {name: headers[name] for name, _ in sent.values()} == dict(sent.values())
    assert headers["Content-Type"] == "text/plain"
    assert (request.method, request.target, request.body) == ("POST", "/endpoints/ep/invocations", b"ok")


@pytest.mark.usefixtures("aws_env")
def test_the_pool_holds_a_connection_for_every_user(runtime: RuntimeServer) -> None:
    users, each = 24, 4
    target = BotoTarget("ep", {**REGION, "endpoint_url": runtime.url}, peak_users=users)
    together = threading.Barrier(users)
    kinds: list[Kind] = []

    def live() -> None:
        for _ in range(each):
            together.wait(30)
            kinds.append(target.invoke(Payload(b"ok")).kind)

    threads = [threading.Thread(target=live) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    target.close()
    assert kinds == [Kind.OK] * (users * each)
    assert runtime.accepted <= users


def test_it_is_a_target(target: BotoTarget) -> None:
    assert isinstance(target, Target)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "no AWS region"),
        ({**REGION, "profile": "nobody"}, "nobody"),
        ({**REGION, "endpoint_url": "http://"}, "boto3 cannot make a client"),
        ({**REGION, "ca_file": "/nowhere/ca.pem"}, "there is no file /nowhere/ca.pem"),
        ({**REGION, "stream": True, "target_model": "m"}, "InvokeEndpointWithResponseStream refuses the options"),
        ({**REGION, "inference_id": ""}, "InvokeEndpoint refuses the options"),
    ],
)
@pytest.mark.usefixtures("aws_env")
def test_what_cannot_be_opened_says_why(options: dict[str, Any], says: str) -> None:
    with pytest.raises(TargetError) as refused:
        BotoTarget("ep", options)
    assert says in str(refused.value)


@pytest.mark.usefixtures("aws_env")
def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TargetError, match="no AWS credentials"):
        BotoTarget("ep", REGION)


def _wrapped(cause: BaseException) -> Exception:
    return botocore.exceptions.EndpointConnectionError(endpoint_url="http://x", error=cause)


@pytest.mark.parametrize(
    ("problem", "kind", "detail"),
    [
        (_wrapped(socket.gaierror(-2, "Name or service not known")), Kind.CONNECTION, "name not resolved"),
        (_wrapped(OSError(113, "No route to host")), Kind.CONNECTION, "unreachable"),
        (_wrapped(OSError(24, "Too many open files")), Kind.LOCAL, "too many open files"),
        (_wrapped(OSError(5, "Input/output error")), Kind.CONNECTION, "connection"),
        (botocore.exceptions.NoCredentialsError(), Kind.CREDENTIALS, "expired"),
        (botocore.exceptions.ProxyConnectionError(proxy_url="p", error=OSError()), Kind.CONNECTION, "proxy"),
        (KeyError("x"), Kind.MALFORMED, "KeyError"),
    ],
)
def test_what_cannot_be_provoked_here(problem: Exception, kind: Kind, detail: str) -> None:
    failure = classify_exception(problem)
    assert (failure.kind, failure.detail, failure.status) == (kind, detail, 0)


def test_exceptions_that_cause_each_other_end() -> None:
    one, two = KeyError("one"), KeyError("two")
    one.__cause__, two.__cause__ = two, one
    assert classify_exception(one).kind is Kind.MALFORMED


@pytest.mark.parametrize(
    ("status", "code", "members", "expected"),
    [
        (424, "ModelError", {"OriginalStatusCode": 503}, (Kind.MODEL_ERROR, "424/503", 424)),
        (404, "404", {}, (Kind.CLIENT_ERROR, "404", 404)),
        (500, "", {}, (Kind.SERVER_ERROR, "500", 500)),
    ],
)
def test_an_older_botocore_tells_of_an_error_what_it_has_read(
    status: int, code: str, members: dict[str, Any], expected: tuple[Kind, str, int]
) -> None:
    told = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}, **members}
    problem = botocore.exceptions.ClientError(told, "InvokeEndpoint")  # type: ignore[arg-type]
    assert classify_exception(problem)[:3] == expected
