"""HTTP/1.1 requests out of bytes, with limits: sans-IO, on httptools (llhttp).

A body is counted and dropped, never kept: a mock model has no use for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import httptools

__all__ = ["MAX_BODY_BYTES", "MAX_DISCARD_BYTES", "MAX_HEAD_BYTES", "Request", "RequestReader", "RequestRefusal"]

MAX_BODY_BYTES = 6_291_456  # BodyBlob of the runtime's service model
MAX_HEAD_BYTES = 65_536  # request line, headers and trailers
MAX_DISCARD_BYTES = 64 * 1024 * 1024  # of a body that is too large anyway: then the connection is closed

_LENGTH, _EXPECT = b"content-length", b"expect"
_WANTED = frozenset(
    {
        _LENGTH,
        _EXPECT,
        b"accept",
        b"host",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"x-amzn-sagemaker-accept",
        b"x-amzn-sagemaker-custom-attributes",
        b"x-amzn-sagemaker-session-id",
        b"x-amzn-sagemaker-target-variant",
    }
)

_ONCE = (b"host", b"origin")


class Request(NamedTuple):
    """One complete request. path: as sent, without the query. headers: those that matter here, lower-case names."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    body_bytes: int
    keep_alive: bool
    http11: bool


@dataclass(frozen=True, slots=True)
class RequestRefusal:
    """Bytes that cannot be followed by a further request: what to answer before the connection is closed."""

    status: int
    message: str


class _Refused(Exception):
    """Leaves the parser from within a callback; the refusal is in the reader."""


class RequestReader:
    """Feeds bytes, yields requests.

    ready: complete requests in order. refusal: set once, after the last of them; later bytes are dropped.
    begun: requests of which at least one byte was seen. receiving: one of them is not complete yet.
    expects_continue: that one waits for `100 Continue`; the owner sets it back when it has answered so.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.ready: deque[Request] = deque()
        self.refusal: RequestRefusal | None = None
        self.begun = 0
        self.receiving = False
        self.expects_continue = False
        self._max_body_bytes = max_body_bytes
        self._last = False
        self._pending_bytes = 0
        self._parser = httptools.HttpRequestParser(self)
        self._clear()

    def _clear(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body_bytes = 0
        self._length: int | None = None
        self._expect = False
        self._in_head = True

    def feed(self, data: bytes) -> None:
        """Take bytes as they come from the socket, in pieces of any size."""
        if self.refusal is not None or self._last:
            return
        begun, complete = self.begun, len(self.ready)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The request itself is served, in HTTP/1.1; no other protocol is spoken here (RFC 9110, 7.8).
            self._parser = httptools.HttpRequestParser(self)
            self.feed(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as problem:
            # llhttp rejects what follows a request with `Connection: close`; that goes without an answer.
            if not self._last:
                self.refusal = self.refusal or RequestRefusal(400, f"The request is not valid HTTP/1.1: {problem}")
                self.receiving = False
            return
        # Names and values that are not complete yet were not seen by on_header: what came so far is counted here.
        if self.receiving and self._in_head:
            if begun != self.begun:
                self._pending_bytes = 0
            if complete == len(self.ready):
                self._pending_bytes += len(data)
            if self._pending_bytes > MAX_HEAD_BYTES:
                self.refusal = _TOO_LONG
                self.receiving = False

    # Callbacks of httptools.

    def on_message_begin(self) -> None:
        self._clear()
        self.begun += 1
        self.receiving = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LONG)
        name = name.lower()
        if name not in _WANTED or not self._in_head:  # after the head come trailers
            return
        if name == _LENGTH:
            self._length = int(value)
        elif name == _EXPECT:
            self._expect = value.lower() == b"100-continue"
        else:
            # A second Host or Origin must not hide the first.
            known = self._headers.get(name) if name in _ONCE else None
            self._headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        self._in_head = False
        length = self._length or 0
        if length > MAX_DISCARD_BYTES or (self._expect and length > self._max_body_bytes):
            self._refuse(too_large(self._max_body_bytes))
        self.expects_continue = self._expect and self._parser.get_http_version() == "1.1"

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self.expects_continue = False
        if self._body_bytes > MAX_DISCARD_BYTES:
            self._refuse(too_large(self._max_body_bytes))

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        keep_alive = self._parser.should_keep_alive() and method != b"CONNECT"
        path = self._url.partition(b"?")[0]
        http11 = self._parser.get_http_version() == "1.1"
        self.ready.append(Request(method, path, self._headers, self._body_bytes, keep_alive, http11))
        self.receiving = self.expects_continue = False
        self._last = self._last or not keep_alive

    def _refuse(self, refusal: RequestRefusal) -> None:
        self.refusal = refusal
        raise _Refused


_TOO_LONG = RequestRefusal(431, f"The request's head is longer than {MAX_HEAD_BYTES} bytes")


def too_large(max_body_bytes: int) -> RequestRefusal:
    """The answer to a body over the limit, worded as the service words it (sagemaker-python-sdk issue 171)."""
    return RequestRefusal(413, f"HTTP content length exceeded {max_body_bytes} bytes.")
