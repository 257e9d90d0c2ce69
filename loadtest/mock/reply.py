"""Responses as bytes, in the shape of the SageMaker runtime: values in, bytes out, no socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

__all__ = ["LATENCY_HEADER", "error_body", "header_lines", "quick_reply", "reply", "stream_head"]

LATENCY_HEADER = "X-Loadtest-Model-Latency-Us"

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_REASONS[413] = "Content Too Large"  # renamed between Python versions
_REASONS[530] = "Internal Dependency"

_LATENCY = LATENCY_HEADER.encode()

Headers = Iterable[tuple[str, str]]


def reply(
    status: int,
    headers: Headers,
    body: bytes,
    *,
    keep_alive: bool = True,
    http11: bool = True,
    send_body: bool = True,
) -> bytes:
    """Head and body in one piece, for one write.

    send_body: False for the answer to HEAD, which tells the length of a body that it does not carry.
    """
    head = _head(status, (*headers, ("Content-Length", str(len(body)))), keep_alive, http11)
    return head + body if send_body else head


def quick_reply(request_id: str, lines: bytes, latency_us: int, body: bytes) -> bytes:
    """What `reply` makes of an HTTP/1.1 success that keeps its connection, from header lines made before.

    It is what nearly every answer is, and the time that making it takes is added to the model's.
    """
    date = _date(int(time.time()))
    head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nx-amzn-RequestId: {request_id}\r\n".encode()
    return b"%b%b%b: %d\r\n\r\n%b" % (head, lines, _LATENCY, latency_us, body)


def header_lines(headers: Headers) -> bytes:
    """Headers as the lines of a head."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")


def stream_head(status: int, headers: Headers, *, keep_alive: bool, http11: bool) -> bytes:
    """The head of a body of unknown length: chunked, or ended by closing for an HTTP/1.0 client."""
    if http11:
        return _head(status, (*headers, ("Transfer-Encoding", "chunked")), keep_alive, http11)
    return _head(status, headers, False, http11)


def error_body(message: str, **members: object) -> bytes:
    """JSON of an error. `Message` is the member's name in the model, `message` what some clients read."""
    return json.dumps({"Message": message, "message": message, **members}).encode()


def _head(status: int, headers: Headers, keep_alive: bool, http11: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}", f"Date: {_date(int(time.time()))}"]
    lines.extend(f"{name}: {value}" for name, value in headers)
    if not keep_alive:
        lines.append("Connection: close")
    elif not http11:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
