"""The head of an HTTP/1.1 response: what it says about the body that follows and about the connection (RFC 9112).

Strict where a mistake would make the next answer ambiguous (line ends, lengths, names), tolerant elsewhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["FOLD", "TEXT", "TOKEN", "Head", "read_head"]

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
FOLD = re.compile(rb"[ \t]*\r\n[ \t]+")
_HEAD = re.compile(
    rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: " + TEXT + rb")?\r\n(?:" + TOKEN + rb":" + TEXT + rb"\r\n)*\r\n"
)


class Head(NamedTuple):
    """What a response's head says about what follows.

    length: of the body, by Content-Length; -1: not given, or overruled by `chunked`. close: the connection ends with
    this answer. model_latency_us: X-Loadtest-Model-Latency-Us; None: not told. fault: why it is malformed, "" if not.
    """

    status: int = 0
    length: int = -1
    chunked: bool = False
    close: bool = False
    model_latency_us: int | None = None
    fault: str = ""


def read_head(raw: bytes) -> Head:
    """The head from its status line to its empty line. Never raises."""
    match = _HEAD.fullmatch(raw)
    if match is None:
        raw = FOLD.sub(b" ", raw)
        match = _HEAD.fullmatch(raw)
        if match is None:
            return Head(fault="bad head")
    low = raw.lower()
    chunked, close = False, match[1] == b"0"
    if b"\r\nconnection:" in low:
        tokens = _tokens(low, b"connection")
        close = b"close" in tokens or (close and b"keep-alive" not in tokens)
    length = _length(low)
    if length < -1:
        return Head(fault="bad content-length")
    if b"\r\ntransfer-encoding:" in low:
        codings = _tokens(low, b"transfer-encoding")
        if codings.count(b"chunked") > 1:
            return Head(fault="bad transfer-encoding")
        # Both framings at once, or one in HTTP/1.0, is how messages are smuggled: read it, then part.
        close = close or length >= 0 or match[1] == b"0"
        chunked, length = codings[-1:] == [b"chunked"], -1
    return Head(int(match[2]), length, chunked, close, _model_latency_us(low))


def _values(low: bytes, name: bytes) -> list[bytes]:
    """Every value of a header in a lower-case head."""
    return [rest.partition(b"\r\n")[0].strip(b" \t") for rest in low.split(b"\r\n" + name + b":")[1:]]


def _tokens(low: bytes, name: bytes) -> list[bytes]:
    return [token.strip(b" \t") for value in _values(low, name) for token in value.split(b",")]


def _length(low: bytes) -> int:
    """-1: not given; -2: not one number. The same number repeated counts as one (RFC 9112, 6.3)."""
    values = _values(low, b"content-length")
    if not values:
        return -1
    value = values[0]
    if len(values) > 1 or b"," in value:
        each = set(_tokens(low, b"content-length"))
        value = each.pop() if len(each) == 1 else b""
    return int(value) if value.isdigit() and len(value) <= 18 else -2


def _model_latency_us(low: bytes) -> int | None:
    values = _values(low, b"x-loadtest-model-latency-us")
    return int(values[0]) if values and values[0].isdigit() and len(values[0]) <= 15 else None
