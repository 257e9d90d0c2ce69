"""A loopback server that answers as scripted, right or wrong, and logs what it was sent. Standard library only.

What to do is the first word of a request's body, nothing being "ok": every error of the runtime API, and the ways a
connection fails.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import struct
import threading
import zlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["ACTIONS", "RUNTIME_ERRORS", "Action", "Request", "RuntimeServer"]

Then = Literal["keep", "close", "reset", "hang"]


class Action(NamedTuple):
    """The bytes to answer with, and what happens to the connection afterwards."""

    answer: bytes
    then: Then = "keep"


class Request(NamedTuple):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


def answer(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def error(status: int, code: str, **members: Any) -> bytes:
    """As the runtime API: the code in the header, the members in the body."""
    body = json.dumps({"Message": "what went wrong", **members}).encode()
    return answer(status, {"Content-Type": "application/json", "x-amzn-ErrorType": code}, body)


def encoded(encoding: str, body: bytes) -> bytes:
    """A ModelError whose body has a Content-Encoding."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError", "Content-Encoding": encoding}
    return answer(424, headers, body)


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One event-stream frame, built by hand."""
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return start + struct.pack(">I", zlib.crc32(start))


def part(payload: bytes) -> bytes:
    headers = {":event-type": "PayloadPart", ":content-type": "application/octet-stream", ":message-type": "event"}
    return frame(headers, payload)


def broken(exception_type: str, **members: str) -> bytes:
    headers = {":exception-type": exception_type, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps(members).encode())


def stream(*frames: bytes) -> bytes:
    return answer(200, {"Content-Type": "application/vnd.amazon.eventstream"}, b"".join(frames))


JSON = {"Content-Type": "application/json"}
TOLD = b'{"OriginalMessage": "x", "OriginalStatusCode": 507}'
TRACE = 'File \\"serve.py\\", \\"OriginalStatusCode\\": 999\\n' * 20_000  # a container's trace, as JSON has it
LAST = b'","OriginalStatusCode":501}'
NOISE = random.Random(1).randbytes(200_000).hex()  # which gzip leaves longer than what is kept of a body
OK = answer(200, JSON, b'{"ok": true}')

# Every error of the runtime API and what else its front door says: name -> answer.
RUNTIME_ERRORS: dict[str, Action] = {
    "model-error-500": Action(
        error(424, "ModelError", OriginalStatusCode=500, OriginalMessage="x", LogStreamArn="arn")
    ),
    "model-error-400": Action(error(424, "ModelError", OriginalStatusCode=400)),
    "model-error-0": Action(error(424, "ModelError", OriginalStatusCode=0)),
    "model-error-float": Action(error(424, "ModelError", OriginalStatusCode=500.0)),
    "model-error-text": Action(error(424, "ModelError", OriginalStatusCode="500.0")),
    "model-error-large": Action(
        error(424, "ModelError", OriginalMessage=TRACE, LogStreamArn="arn", OriginalStatusCode=503)
    ),
    "model-error-large-first": Action(error(424, "ModelError", OriginalStatusCode=502, OriginalMessage=NOISE)),
    "model-error-large-chunked": Action(
        b"HTTP/1.1 424 Reason\r\nx-amzn-ErrorType: ModelError\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (b'{"OriginalMessage":"', *[b"x" * 999] * 99, LAST))
        + b"0\r\n\r\n"
    ),
    "model-error-gzip": Action(encoded("gzip", gzip.compress(TOLD))),
    "model-error-gzip-large": Action(
        encoded(
            "gzip",
            gzip.compress(
                b'{"Message": "Received server error (506) from primary with message \\"...\\"", "OriginalMessage": "'
                + NOISE.encode()
                + b'", "OriginalStatusCode": 506}'
            ),
        )
    ),
    "model-error-gzip-bomb": Action(encoded("gzip", gzip.compress(TOLD[:-1] + b" " * 50_000_000 + b"}"))),
    "model-error-gzip-broken": Action(encoded("gzip", b"no gzip")),
    "model-error-deflate": Action(encoded("deflate", zlib.compress(TOLD))),
    "model-error-deflate-bare": Action(encoded("identity, deflate", zlib.compress(TOLD, wbits=-15))),
    "model-error-brotli": Action(encoded("br", b"\x8b\x02\x80")),
    "model-error-untold": Action(error(424, "ModelError")),
    "validation": Action(error(400, "ValidationError")),
    "throttling": Action(error(400, "ThrottlingException")),
    "throttling-url": Action(error(400, "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral/")),
    "not-ready": Action(error(429, "ModelNotReadyException")),
    "too-many": Action(answer(429, JSON, b"")),
    "denied": Action(error(403, "AccessDeniedException")),
    "token": Action(error(403, "UnrecognizedClientException")),
    "not-found": Action(answer(404, {}, b"")),
    "too-large": Action(error(413, "413")),
    "internal": Action(error(500, "InternalFailure")),
    "internal-empty": Action(answer(500, {"x-amzn-ErrorType": "InternalFailure"}, b"")),
    "unavailable": Action(error(503, "ServiceUnavailable")),
    "slow-down": Action(error(503, "SlowDown")),
    "dependency": Action(error(530, "InternalDependencyException")),
    "html": Action(answer(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")),
    "gateway-timeout": Action(answer(504, {}, b"")),
    "code-in-body": Action(answer(400, JSON, b'{"code": "ValidationError", "message": "m"}')),
    "type-in-body": Action(answer(424, JSON, b'{"__type": "com.amazonaws#ModelError", "OriginalStatusCode": 503}')),
    "not-json": Action(answer(500, JSON, b"{")),
}

ACTIONS: dict[str, Action] = {
    **RUNTIME_ERRORS,
    "ok": Action(OK),
    "ok-close": Action(answer(200, {**JSON, "Connection": "close"}, b'{"ok": true}'), "close"),
    "ok-empty": Action(answer(200, JSON, b"")),
    "ok-large": Action(answer(200, {"Content-Type": "application/octet-stream"}, b"x" * 300_000)),
    "ok-timed": Action(answer(200, {**JSON, "X-Loadtest-Model-Latency-Us": "12345"}, b"{}")),
    "ok-mistimed": Action(answer(200, {**JSON, "X-Loadtest-Model-Latency-Us": "-1 ms"}, b"{}")),
    "ok-chunked": Action(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"),
    "redirect": Action(answer(307, {"Location": "/elsewhere"}, b"")),
    "close": Action(b"", "close"),
    "reset": Action(b"", "reset"),
    "hang": Action(b"", "hang"),
    "hang-in-body": Action(answer(200, JSON, b"x" * 10)[:-5], "hang"),
    "truncated": Action(answer(200, JSON, b"x" * 10)[:-5], "close"),
    "truncated-chunks": Action(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "close"),
    "reset-in-body": Action(answer(200, JSON, b"x" * 100_000)[:-5], "reset"),
    "no-http": Action(b"SSH-2.0-OpenSSH_9.6\r\n", "close"),
    "bad-chunks": Action(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", "close"),
    "many-headers": Action(answer(200, {f"x-{i}": "y" * 700 for i in range(200)}, b""), "close"),
    "stream": Action(stream(part(b"one "), part(b"two "), part(b"three"))),
    "stream-empty": Action(stream()),
    "stream-model": Action(stream(part(b"one"), broken("ModelStreamError", Message="m"))),
    "stream-internal": Action(stream(part(b"one"), broken("InternalStreamFailure", Message="m"))),
    "stream-bad-crc": Action(stream(part(b"one")[:-1] + b"\0")),
    "stream-truncated-chunks": Action(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + part(b"one")[:30], "close"
    ),
    "stream-truncated": Action(stream(part(b"one"), part(b"two"))[:-9], "close"),
}


class RuntimeServer:
    """Serves on a free port of 127.0.0.1 until closed. requests: all that came, in the order of their completion."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._closing = threading.Event()
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop serving and end every thread; a second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as received:
            while True:
                try:
                    request = _read(received)
                except OSError:
                    return
                if request is None:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
                self.requests.append(request)
                action = ACTIONS[request.body.split(b" ", 1)[0].decode() or "ok"]
                try:
                    connection.sendall(action.answer)
                except OSError:
                    return
                if action.then == "hang":
                    self._closing.wait(60)
                if action.then == "reset":
                    # Nobody else holds this descriptor, so closing it with no linger sends RST.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if action.then != "keep":
                    return


def _read(received: Any) -> Request | None:
    if received.peek(1)[:1] in (b"", b"\x16"):  # the end, or a TLS handshake
        return None
    method, target, _ = received.readline().decode("latin-1").split(" ")
    headers: list[tuple[str, str]] = []
    while (line := received.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip(" ")))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Request(method, target, headers, received.read(length))
