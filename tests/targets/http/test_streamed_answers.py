"""InvokeEndpointWithResponseStream: parts, their times, and every way that a stream can fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.wire.eventstream import encode_event

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"X-Loadtest-Model-Latency-Us: 77\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def part(data: bytes) -> bytes:
    return encode_event(
        {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}, data
    )


def exception(name: str, **members: str) -> bytes:
    headers = {":message-type": "exception", ":exception-type": name, ":content-type": "application/json"}
    return encode_event(headers, json.dumps(members).encode())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


def streaming(*pieces: bytes, gap_s: float = 0.0) -> Any:
    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.send(*pieces, gap_s=gap_s)

    return script


def stream(drive: Any, server: Any, **job: Any) -> Any:
    options = {"endpoint_url": server.url, "stream": True, **job.pop("options", {})}
    return drive("sagemaker", "ep", env=KEYS, options=options, **job)


def test_parts_have_their_times_and_their_bytes(drive: Any, serve: Any) -> None:
    pieces = [HEAD, chunk(part(b"Hel")), chunk(part(b"lo, ")), chunk(part(b"wor") + part(b"ld")), LAST]
    server = serve(streaming(*pieces, gap_s=0.05))
    rows = stream(drive, server, invokes=2, options={"accept": "text/plain"})
    assert server.connections == 1
    assert server.seen[0].line == "POST /endpoints/ep/invocations-response-stream HTTP/1.1"
    assert server.seen[0].headers["x-amzn-sagemaker-accept"] == "text/plain"
    assert "accept" not in server.seen[0].headers
    for row in rows:
        assert (row.kind, row.bytes_in, row.model_latency_us, row.kernel_clock) == ("ok", 12, 77, True)
        assert row.gaps_ns is not None
        assert len(row.gaps_ns) == 3
        # The server waits at least 50 ms before each piece; how much longer is the machine's affair.
        assert row.first_byte_ns - row.sent_ns >= 45_000_000
        assert row.gaps_ns[0] >= 25_000_000
        assert row.gaps_ns[1] >= 25_000_000
        assert row.gaps_ns[2] == 0
        assert row.done_ns - row.first_byte_ns >= sum(row.gaps_ns) + 25_000_000


def test_a_stream_in_one_read_and_cut_anywhere(drive: Any, serve: Any) -> None:
    whole = HEAD + chunk(part(b"abc")) + chunk(part(b"de")) + LAST
    (row,) = stream(drive, serve(streaming(whole)))
    assert (row.kind, row.bytes_in, row.gaps_ns) == ("ok", 5, [0])
    cuts = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    (row,) = stream(drive, serve(streaming(*cuts, gap_s=0.001)))
    assert (row.kind, row.bytes_in, len(row.gaps_ns or [])) == ("ok", 5, 1)


def test_a_stream_without_a_part(drive: Any, serve: Any) -> None:
    (row,) = stream(drive, serve(streaming(HEAD + LAST)))
    assert (row.kind, row.bytes_in, row.gaps_ns) == ("ok", 0, [])
    assert row.first_byte_ns == row.done_ns


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HEAD + chunk(part(b"x") + exception("ModelStreamError", ErrorCode="StreamBroken", Message="m")) + LAST,
         ("model_error", 200, "ModelStreamError/StreamBroken")),
        (HEAD + chunk(exception("InternalStreamFailure", Message="m")) + LAST,
         ("server_error", 200, "InternalStreamFailure")),
        (HEAD + chunk(encode_event({":message-type": "error", ":error-code": "ThrottlingException"}, b"")) + LAST,
         ("throttled", 200, "ThrottlingException")),
        (HEAD + chunk(exception("ModelStreamError")[:-1] + b"x") + LAST, ("malformed", 200, "event stream")),
        (HEAD + chunk(part(b"abc")[:-3]) + LAST, ("malformed", 200, "truncated")),
        (HEAD + chunk(b"this is no event stream") + LAST, ("malformed", 200, "event stream")),
        (b"HTTP/1.1 424 X\r\nx-amzn-ErrorType: ModelError\r\nContent-Length: 27\r\n\r\n{\"OriginalStatusCode\": 503} ",
         ("model_error", 424, "424/503")),
        (b"HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b'{"code":"ThrottlingException"}') + LAST,
         ("throttled", 429, "ThrottlingException")),
    ],
)  # fmt: skip
def test_a_stream_that_fails(drive: Any, serve: Any, answer: bytes, expected: tuple[str, int, str]) -> None:
    (row,) = stream(drive, serve(streaming(answer)))
    assert (row.kind, row.status, row.detail) == expected
    assert row.gaps_ns is None


def test_a_stream_that_breaks_off(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.send(HEAD + chunk(part(b"abc")))

    (row,) = stream(drive, serve(script))
    assert (row.kind, row.status, row.detail) == ("malformed", 200, "truncated")


def test_the_read_timeout_is_for_the_next_part(drive: Any, serve: Any) -> None:
    pieces = [HEAD, *[chunk(part(b"x"))] * 8, LAST]
    (row,) = stream(drive, serve(streaming(*pieces, gap_s=0.1)), options={"read_timeout_s": 0.6})
    assert (row.kind, row.bytes_in) == ("ok", 8)

    def stalls(peer: Any) -> None:
        peer.read()
        peer.send(HEAD + chunk(part(b"x")))
        peer.until_closed()

    (row,) = stream(drive, serve(stalls), options={"read_timeout_s": 0.3})
    assert (row.kind, row.status, row.detail) == ("timeout", 200, "read timeout")


def test_a_containers_stream_is_timed_by_what_arrives(drive: Any, serve: Any) -> None:
    server = serve(streaming(HEAD, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), LAST, gap_s=0.05))
    (row,) = drive("http", f"{server.url}/invocations", options={"stream": True})
    assert (row.kind, row.bytes_in) == ("ok", 18)
    assert row.gaps_ns is not None
    assert len(row.gaps_ns) == 1
    assert row.gaps_ns[0] >= 25_000_000
