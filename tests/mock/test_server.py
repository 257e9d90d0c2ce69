"""The mock endpoint's process over real sockets: routes, framing, order, limits and whatever else a client may send."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable

import pytest
from mock_wire import Wire, post

from loadtest.mock.process import MockProcess
from loadtest.mock.request import MAX_BODY_BYTES, MAX_HEAD_BYTES
from loadtest.wire.eventstream import FrameDecoder

Connect = Callable[[MockProcess], Wire]
StartMock = Callable[..., MockProcess]

INVOKE = "/endpoints/any/invocations"
STREAM = "/endpoints/any/invocations-response-stream"


def test_an_invocation_is_answered_as_the_runtime_does(endpoint: MockProcess, wire: Connect) -> None:
    client = wire(endpoint)
    client.send(
        post(INVOKE, b"[1]", "X-Amzn-SageMaker-Custom-Attributes: trace=7", "X-Amzn-SageMaker-Target-Variant: B")
    )
    status, headers, body = client.answer()
    assert (status, json.loads(body)) == (200, {"predictions": [[0.5]]})
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-invoked-production-variant"] == "B"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert len(headers["x-amzn-requestid"]) == 36
    assert int(headers["x-loadtest-model-latency-us"]) >= 1_000
    client.send(post(INVOKE))
    _, second, _ = client.answer()
    assert second["x-amzn-invoked-production-variant"] == "AllTraffic"
    assert second["x-amzn-requestid"] != headers["x-amzn-requestid"]
    assert "x-amzn-sagemaker-custom-attributes" not in second


ROUTES = [
    ("POST", "/invocations", 200, ""),
    ("POST", "/invocations?a=b", 200, ""),
    ("POST", "http://elsewhere/invocations", 200, ""),
    ("GET", "/ping", 200, ""),
    ("POST", "/endpoints/a-1/invocations", 200, ""),
    ("POST", "/endpoints/%61/invocations", 200, ""),
    ("GET", "/", 404, "UnknownOperationException"),
    ("POST", "/ping/", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a/async-invocations", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a/invocations/", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a/invocations-response-stream/", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a/invocations/b", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a", 404, "UnknownOperationException"),
    ("POST", "/endpoints/", 404, "UnknownOperationException"),
    ("POST", "/invocations/", 404, "UnknownOperationException"),
    ("POST", "/endpoints/a/invocations?b=c/", 200, ""),
    ("POST", "/endpoints//invocations", 400, "ValidationError"),
    ("POST", "/endpoints/-a/invocations", 400, "ValidationError"),
    ("POST", "/endpoints/a%2Fb/invocations", 400, "ValidationError"),
    ("POST", "/endpoints/a%00/invocations", 400, "ValidationError"),
    ("POST", f"/endpoints/{'a' * 64}/invocations", 400, "ValidationError"),
    ("GET", "/endpoints/a/invocations", 405, ""),
    ("POST", "/ping", 405, ""),
    ("DELETE", "/invocations", 405, ""),
    ("CONNECT", "mock:1", 404, "UnknownOperationException"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), ROUTES)
def test_every_route_has_its_answer(
    endpoint: MockProcess, wire: Connect, method: str, path: str, status: int, code: str
) -> None:
    client = wire(endpoint)
    client.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    got, headers, body = client.answer()
    assert (got, headers.get("x-amzn-errortype", "")) == (status, code)
    if status >= 400:
        assert json.loads(body)["message"]
    if status == 405:
        assert method not in headers["allow"]


def test_head_tells_the_length_of_a_body_that_it_does_not_send(endpoint: MockProcess, wire: Connect) -> None:
    client = wire(endpoint)
    client.send(b"HEAD /loadtest/stats HTTP/1.1\r\n\r\nGET /ping HTTP/1.1\r\nConnection: close\r\n\r\n")
    first, _, second = client.rest().partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 0" not in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("application/json", "application/json", b'{"predictions": [[0.5]]}'),
        ("text/csv", "text/csv", b"0.5\n"),
        ("*/*", "application/json", b'{"predictions": [[0.5]]}'),
        ("text/csv, application/json", "application/json", b'{"predictions": [[0.5]]}'),
    ],
)
def test_the_answer_has_the_one_type_that_is_asked_for(
    endpoint: MockProcess, wire: Connect, accept: str, content_type: str, body: bytes
) -> None:
    client = wire(endpoint)
    client.send(post(INVOKE, b"", f"Accept: {accept}"))
    _, headers, got = client.answer()
    assert (headers["content-type"], got) == (content_type, body)


def test_only_the_named_endpoint_is_served(start_mock: StartMock, wire: Connect) -> None:
    client = wire(start_mock("service_ms=0,name=mine"))
    client.send(post("/endpoints/mine/invocations") + post("/endpoints/other/invocations"))
    assert client.answer()[0] == 200
    status, headers, body = client.answer()
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert json.loads(body)["Message"] == "Endpoint other of account 123456789012 not found."


def test_a_container_has_its_own_errors(start_mock: StartMock, wire: Connect) -> None:
    failing = wire(start_mock("service_ms=0,error_ratio=1"))
    failing.send(post("/invocations"))
    assert failing.answer()[0] == 500
    full = start_mock("servers=1,service_ms=60000,queue=0")
    first = wire(full)
    first.send(post("/invocations"))
    _wait_for(full, "in_flight", 1)
    second = wire(full)
    second.send(post("/invocations"))
    assert second.answer()[0] == 429
    first.reset()


def test_a_stream_comes_in_parts(start_mock: StartMock, wire: Connect) -> None:
    process = start_mock("service_ms=1,parts=3,part_gap_ms=30,response_bytes=1000")
    client = wire(process)
    for _ in range(2):  # and the connection can be used again
        client.send(post(STREAM, b"{}", "X-Amzn-SageMaker-Accept: text/plain"))
        status, headers, body = client.answer()
        assert status == 200
        assert headers["content-type"] == "application/vnd.amazon.eventstream"
        assert headers["x-amzn-sagemaker-content-type"] == "text/plain"
        frames = FrameDecoder().feed(body)
        assert [frame.event_type for frame in frames] == ["PayloadPart"] * 3
        assert b"".join(frame.payload for frame in frames) == b"0" * 1000
        assert int(headers["x-loadtest-model-latency-us"]) >= 61_000
    assert process.statistics()["p50_ms"] >= 61


def test_an_old_client_gets_its_stream_without_chunks(start_mock: StartMock, wire: Connect) -> None:
    client = wire(start_mock("service_ms=0,parts=2"))
    client.send(b"POST " + STREAM.encode() + b" HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    head, _, body = client.rest().partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert len(FrameDecoder().feed(body)) == 2


def test_pipelined_requests_are_answered_in_order(start_mock: StartMock, wire: Connect) -> None:
    client = wire(start_mock("servers=8,service_ms=3,law=exponential"))
    tags = [f"n={i}" for i in range(100)]
    client.send(
        b"".join(post(INVOKE, b"x" * i, f"X-Amzn-SageMaker-Custom-Attributes: {tag}") for i, tag in enumerate(tags))
    )
    assert [client.answer()[1]["x-amzn-sagemaker-custom-attributes"] for _ in tags] == tags


def test_many_pipelined_requests_in_one_piece_do_not_pile_up_on_the_stack(start_mock: StartMock, wire: Connect) -> None:
    process = start_mock("service_ms=0")
    client = wire(process)
    client.send(b"POST /invocations HTTP/1.1\r\n\r\n" * 3_000)
    assert {client.answer()[0] for _ in range(3_000)} == {200}
    assert process.statistics()["ok"] == 3_000


def test_a_request_may_come_in_any_pieces(endpoint: MockProcess, wire: Connect) -> None:
    client = wire(endpoint)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = post(INVOKE, b"[1, 2, 3]", "X-Amzn-SageMaker-Custom-Attributes: bytes")
    for i in range(len(request)):
        client.send(request[i : i + 1])
    status, headers, _ = client.answer()
    assert (status, headers["x-amzn-sagemaker-custom-attributes"]) == (200, "bytes")
    chunked = f"POST {INVOKE} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    client.send(chunked + b"3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: 1\r\n\r\n")
    assert client.answer()[0] == 200


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("POST /invocations HTTP/1.1\r\n", True),
        ("POST /invocations HTTP/1.1\r\nConnection: close\r\n", False),
        ("POST /invocations HTTP/1.0\r\n", False),
        ("POST /invocations HTTP/1.0\r\nConnection: keep-alive\r\n", True),
        ("POST /invocations HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", True),
    ],
)
def test_connections_are_kept_as_the_client_asks(endpoint: MockProcess, wire: Connect, line: str, kept: bool) -> None:
    client = wire(endpoint)
    client.send(f"{line}Content-Length: 0\r\n\r\n".encode())
    status, headers, _ = client.answer()
    assert status == 200
    if kept:
        assert headers.get("connection") != "close"
        client.send(post())
        assert client.answer()[0] == 200
    else:
        assert headers["connection"] == "close"
        assert client.rest() == b""


def test_100_continue_is_sent_when_the_body_is_waited_for(endpoint: MockProcess, wire: Connect) -> None:
    client = wire(endpoint)
    client.send(f"POST {INVOKE} HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
    assert client.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert client.answer()[0] == 200


def test_100_continue_waits_for_the_answers_before_it(start_mock: StartMock, wire: Connect) -> None:
    client = wire(start_mock("service_ms=50"))
    expecting = f"POST {INVOKE} HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
    client.send(post() + expecting)
    assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
    client.exactly(len('{"predictions": [[0.5]]}'))
    assert client.interim().startswith(b"HTTP/1.1 100")
    client.send(b"abc")
    assert client.answer()[0] == 200


def test_the_largest_body_passes_and_one_more_byte_does_not(endpoint: MockProcess, wire: Connect) -> None:
    client = wire(endpoint)
    client.send(post(INVOKE, b"x" * MAX_BODY_BYTES))
    assert client.answer()[0] == 200
    client.send(post(INVOKE, b"x" * (MAX_BODY_BYTES + 1)))
    status, headers, body = client.answer()
    assert status == 413
    assert "x-amzn-errortype" not in headers
    assert json.loads(body)["message"] == f"HTTP content length exceeded {MAX_BODY_BYTES} bytes."
    client.send(post())  # the body was read to its end, so the connection is as good as before
    assert client.answer()[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        f"Content-Length: {MAX_BODY_BYTES + 1}\r\nExpect: 100-continue",
        f"Content-Length: {10**12}",
    ],
    ids=["announced", "beyond all"],
)
def test_a_body_that_need_not_be_sent_is_refused_at_once(endpoint: MockProcess, wire: Connect, head: str) -> None:
    client = wire(endpoint)
    client.send(f"POST {INVOKE} HTTP/1.1\r\n{head}\r\n\r\n".encode())
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert client.rest() == b""


HEADS = {
    "one long value": b"GET /ping HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
    "many headers": b"GET /ping HTTP/1.1\r\n" + b"X-Name: value\r\n" * 6_000 + b"\r\n",
    "a long path": b"GET /" + b"a" * (MAX_HEAD_BYTES + 1) + b" HTTP/1.1\r\n\r\n",
    "never complete": b"GET /ping HTTP/1.1\r\nX: " + b"x" * 300_000,
    "trailers": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-Name: value\r\n" * 6_000,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_oversized_heads_are_refused(endpoint: MockProcess, wire: Connect, head: bytes) -> None:
    client = wire(endpoint)
    client.send(head)
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (431, "close")
    assert client.rest() == b""
    _still_serves(endpoint, wire)


MALFORMED = {
    "no HTTP": b"GARBAGE\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "wrong version": b"POST /invocations HTTP/3.7\r\n\r\n",
    "space in the path": b"GET /a b HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /invocations HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "endless length": b"POST /invocations HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "bad chunk": b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "unknown coding": b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "NUL in a name": b"GET /ping HTTP/1.1\r\nA\x00: b\r\n\r\n",
    "folded header": b"GET /ping HTTP/1.1\r\nX: y\r\n z\r\n\r\n",
    "no carriage returns": b"GET /ping HTTP/1.1\nHost: a\n\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_http_is_refused_after_the_answers_before_it(
    endpoint: MockProcess, wire: Connect, data: bytes
) -> None:
    client = wire(endpoint)
    client.send(post() + data)
    assert client.answer()[0] == 200
    status, headers, body = client.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert "not valid HTTP" in json.loads(body)["message"]
    assert client.rest() == b""
    _still_serves(endpoint, wire)


def test_no_bytes_whatever_stop_the_server(endpoint: MockProcess, wire: Connect) -> None:
    random_ = random.Random(20)
    valid = post(INVOKE, b"[1]", "Expect: 100-continue", "X-Amzn-SageMaker-Custom-Attributes: a") + post(STREAM)
    for _ in range(150):
        data = bytearray(valid)
        for _ in range(random_.randint(1, 8)):
            at = random_.randrange(len(data))
            if random_.random() < 0.5:
                data[at] = random_.randrange(256)
            else:
                del data[at : at + random_.randint(1, 20)]
        client = Wire(endpoint.url)
        client.send(bytes(data))
        if random_.random() < 0.5:
            client.socket.shutdown(socket.SHUT_WR)
            client.rest()
        client.close()
    _still_serves(endpoint, wire)
    assert endpoint.statistics()["faults"] == 0


def test_a_client_that_has_sent_everything_still_gets_its_answer(start_mock: StartMock, wire: Connect) -> None:
    client = wire(start_mock("service_ms=100"))
    client.send(post() + post())
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.answer()[0], client.answer()[0]] == [200, 200]
    assert client.rest() == b""


def test_clients_that_leave_are_counted_and_forgotten(start_mock: StartMock, wire: Connect) -> None:
    process = start_mock("servers=1,service_ms=60000")
    client = Wire(process.url)
    client.send(post())
    _wait_for(process, "in_flight", 1)
    client.reset()
    found = _wait_for(process, "abandoned", 1)
    assert (found["in_flight"], found["ok"]) == (0, 0)


def test_a_client_that_does_not_read_holds_nothing_up(start_mock: StartMock, wire: Connect) -> None:
    process = start_mock("service_ms=0,response_bytes=6000000")
    deaf = wire(process)
    deaf.send(post() * 60)  # 360 MB of answers
    other = wire(process)
    other.send(post())
    assert other.answer()[0] == 200
    # One answer is in the server's buffer, some are in the kernel's: the rest is not made before there is room.
    assert process.statistics()["ok"] < 10


def _wait_for(process: MockProcess, counter: str, value: int) -> dict[str, object]:
    for _ in range(1_000):
        found = process.statistics()
        if found[counter] == value:
            return found
    raise AssertionError(f"{counter} is {found[counter]}, not {value}")


def _still_serves(process: MockProcess, wire: Connect) -> None:
    client = wire(process)
    client.send(post())
    assert client.answer()[0] == 200
