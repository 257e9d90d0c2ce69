"""What a scripted server does with a connection, and the cases of it whose outcomes are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CASES", "CHUNKED", "OK", "PLAIN", "closing", "error", "keep_alive", "once", "resetting"]

OK = ("ok", 200, "")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def keep_alive(peer: Any) -> None:
    while True:
        peer.read()
        peer.answer()


def once(*pieces: bytes, gap_s: float = 0.0) -> Callable[[Any], None]:
    """The pieces to each request, on one connection."""

    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.send(*pieces, gap_s=gap_s)

    return script


def closing(data: bytes) -> Callable[[Any], None]:
    """Read a request, send this, close in an orderly way."""

    def script(peer: Any) -> None:
        peer.read()
        peer.send(data)
        peer.half_close()
        peer.until_closed()

    return script


def resetting(data: bytes) -> Callable[[Any], None]:
    def script(peer: Any) -> None:
        peer.read()
        if data:
            peer.send(data)
            peer.server.stopping.wait(0.1)  # a reset overtakes data that the client has not read
        peer.reset()

    return script


def error(status: str, body: str, *headers: str) -> Callable[[Any], None]:
    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.answer(body.encode(), status, *headers)

    return script


CASES: list[tuple[str, Callable[[Any], None], list[tuple[str, int, str]], int]] = [
    # (id, script, outcomes of consecutive invocations, connections that it took)
    ("keep-alive", keep_alive, [OK] * 5, 1),
    ("chunked", once(CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n\r\n"), [OK] * 2, 1),
    ("in pieces", once(PLAIN[:9], PLAIN[9:17], PLAIN[17:36], PLAIN[36:40], PLAIN[40:], gap_s=0.005), [OK] * 2, 1),
    ("100-continue", once(b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN, gap_s=0.005), [OK] * 2, 1),
    ("100-continue at once", once(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN), [OK] * 2, 1),
    ("says close", closing(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"), [OK] * 3, 3),
    ("until close", closing(b"HTTP/1.0 200 OK\r\n\r\n{}"), [OK] * 2, 2),
    ("closes unsaid", lambda peer: (peer.read(), peer.close_with(PLAIN)), [OK] * 4, 4),
    ("extra bytes", once(PLAIN + b"HTTP/1.1 200 OK\r\n"), [OK] * 2, 2),
    ("no content", once(b"HTTP/1.1 204 No Content\r\n\r\n"), [("ok", 204, "")] * 2, 1),
    ("closes without an answer", lambda peer: peer.read(), [("connection", 0, "closed")] * 2, 2),
    ("resets without an answer", resetting(b""), [("connection", 0, "reset")] * 2, 2),
    ("resets in the body", resetting(PLAIN[:-1]), [("connection", 200, "reset")] * 2, 2),
    ("closes in the body", closing(PLAIN[:-1]), [("malformed", 200, "truncated")] * 2, 2),
    ("closes in the head", closing(PLAIN[:20]), [("malformed", 0, "truncated")] * 2, 2),
    ("closes in a chunk", closing(CHUNKED + b"5\r\nhe"),
     [("malformed", 200, "truncated")], 1),
    ("garbage", once(b"SSH-2.0-OpenSSH_9.2\r\n"), [("malformed", 0, "bad status line: 'SSH-2.0-OpenSSH_9.2'")] * 2, 2),
    ("bad chunk", once(CHUNKED + b"zz\r\n"),
     [("malformed", 200, "bad chunk size at byte 0 of the body: 'zz'")], 1),
    ("endless head", once(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000), [("malformed", 0, "head too long")], 1),
    ("model error", error("424 Failed Dependency", '{"OriginalStatusCode": 500}', "x-amzn-ErrorType: ModelError"),
     [("model_error", 424, "424/500")] * 2, 1),
    ("not ready", error("429 Too Many", "", "x-amzn-ErrorType: ModelNotReadyException"),
     [("throttled", 429, "ModelNotReadyException")], 1),
    ("throttling", error("400 Bad", '{"__type": "ThrottlingException"}'),
     [("throttled", 400, "ThrottlingException")], 1),
    ("validation", error("400 Bad", '{"code": "ValidationError"}'), [("client_error", 400, "ValidationError")], 1),
    ("internal", error("500 X", "<html>", "x-amzn-ErrorType: InternalFailure:http://x/"),
     [("server_error", 500, "InternalFailure")], 1),
    ("unavailable", error("503 X", ""), [("server_error", 503, "503")], 1),
    ("dependency", error("530 X", "", "x-amzn-ErrorType: InternalDependencyException"),
     [("server_error", 530, "InternalDependencyException")], 1),
    ("redirect", error("302 Found", "", "Location: http://127.0.0.1:1/"),
     [("malformed", 302, "302 to http://127.0.0.1:1/")], 1),
    ("redirect to a secret", error("307 X", "", "Location: https://me:pw@host/a?X-Amz-Signature=s#f"),
     [("malformed", 307, "307 to https://host/a")], 1),
    ("redirect to nowhere", error("301 X", ""), [("malformed", 301, "301")], 1),
    ("identity", once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"), [OK] * 3, 1),
    ("bare line feeds", once(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"), [OK] * 3, 1),
    ("chunked in two fields",
     once(CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), [OK] * 3, 1),
    ("a stray line", once(b"HTTP/1.1 200 OK\r\nstray\r\nContent-Length: 2\r\n\r\n{}"), [OK] * 3, 1),
    ("an empty line behind the answer", once(PLAIN + b"\r\n"), [OK] * 3, 1),
    ("an empty line a little later", once(PLAIN, b"\r\n", gap_s=0.002), [OK] * 9, 1),
    ("an empty line before the answer", once(b"\r\n", PLAIN, gap_s=0.002), [OK] * 3, 1),
]  # fmt: skip
