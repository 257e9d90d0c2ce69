"""Heads of HTTP/1.1 requests that differ only in their body. No socket, no clock."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["RequestTemplate", "encode_headers"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def encode_headers(headers: Sequence[tuple[str, str]], line: str) -> bytes:
    """A request line and header lines, each with its line end. Raises ValueError on what would break the message."""
    if re.search(r"[\x00-\x20\x7f]", line.removeprefix("POST ").removesuffix(" HTTP/1.1")) or not line.isascii():
        raise ValueError(f"a request line cannot hold {line!r}")
    seen: set[str] = set()
    for name, value in headers:
        if not _NAME.fullmatch(name) or name.lower() in seen:
            raise ValueError(f"not a header name, or given twice: {name!r}")
        if _FORBIDDEN.search(value):
            raise ValueError(f"header {name} cannot hold control characters: {value!r}")
        seen.add(name.lower())
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in headers), ""]).encode()


class RequestTemplate:
    """POST requests that differ only in their body. target: path and query, or a URL for a proxy; Host is in `headers`.

    Raises ValueError on a header that cannot be sent.
    """

    __slots__ = ("_start",)

    def __init__(self, target: str, headers: Sequence[tuple[str, str]]) -> None:
        self._start = encode_headers(headers, f"POST {target} HTTP/1.1")

    def head(self, body: bytes, epoch_s: int = 0) -> bytes:
        """Everything of the request before its body. epoch_s: not needed, here as in `SignedTemplate`."""
        return b"%bContent-Length: %d\r\n\r\n" % (self._start, len(body))
