"""The lines of a head that is not as it should be: which one is wrong, and what a lenient client makes of the others.

Lenient is what http.client and urllib3, the clients under botocore, read: a bare line feed ends a line, a line that is
no header field is passed over, the status line may hold more spaces than it needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = [
    "FOLD",
    "MAX_HEAD_BYTES",
    "TEXT",
    "TOKEN",
    "Lines",
    "Malformed",
    "clean_head",
    "head_fault",
    "shown",
    "trailer_fault",
]

MAX_HEAD_BYTES = 64 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
FOLD = re.compile(rb"[ \t]*\r\n[ \t]+")

_SHOWN_BYTES = 60
_STATUS_BYTES = 256  # by then a status line has shown whether it is one
_STATUS = re.compile(rb"HTTP/1\.[0-9] [1-9][0-9][0-9](?: " + TEXT + rb")?\r\n")
_FIELD = re.compile(rb"(?:" + TOKEN + rb":|[ \t])" + TEXT + rb"\r\n")
_TRAILER = re.compile(TOKEN + rb":" + TEXT + rb"\r\n")
_LOOSE_STATUS = re.compile(rb"[ \t]*HTTP/(0\.9|1\.[!-~]*)[ \t]+([1-9][0-9][0-9])(?:[ \t]+(.*?))?\r?\n?", re.DOTALL)
_NAME = re.compile(TOKEN)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(Exception):
    """Never leaves the wire: it becomes a parser's `fault`."""


class Lines:
    """The lines of a head or a trailer as they come, each judged once, when it is whole. number: how many were."""

    __slots__ = ("_bytes", "_fault", "_strict", "number")

    def __init__(self, strict: bool, fault: Callable[[bytes, int, bool], str]) -> None:
        """fault: why a line, its number (from 1) and strictness given, is malformed; "" if it is not."""
        self._strict = strict
        self._fault = fault
        self._bytes = 0
        self.number = 0

    def end(self, buffer: bytes, at: int) -> int:
        """Where the empty line ends that ends them; 0: it is not there yet. at: where they begin. Raises Malformed."""
        while (end := buffer.find(b"\n", at + self._bytes) + 1) and end <= at + MAX_HEAD_BYTES:
            line = buffer[at + self._bytes : end]
            self._bytes = end - at
            self.number += 1
            if line == b"\r\n" or (line == b"\n" and not self._strict):
                return end
            fault = self._fault(line, self.number, self._strict)
            if fault:
                raise Malformed(fault)
        size = len(buffer) - at
        if not self.number and size >= _STATUS_BYTES:
            fault = self._fault(buffer[at : at + _STATUS_BYTES], 0, self._strict)
            if fault:
                raise Malformed(fault)
        if size > MAX_HEAD_BYTES:
            raise Malformed("head too long" if self._fault is head_fault else "trailer too long")
        return 0


def shown(raw: bytes) -> str:
    """Bytes of a server as a short quoted text of printable ASCII: at most the first 60 of them."""
    return repr(bytes(raw[:_SHOWN_BYTES]))[1:] + ("..." if len(raw) > _SHOWN_BYTES else "")


def head_fault(line: bytes, number: int, strict: bool) -> str:
    """Why a line of a head is malformed; "" if it is not. number: 1 is the status line, 0 the beginning of one."""
    if number == 0:
        start = line.lstrip(b" \t")
        return "" if start.startswith(b"HTTP/"[: len(start)]) else f"bad status line: {_text(line, strict)}"
    if number == 1:
        good = _STATUS.fullmatch(line) if strict else _LOOSE_STATUS.fullmatch(line)
        return "" if good else f"bad status line: {_text(line, strict)}"
    return "" if not strict or _FIELD.fullmatch(line) else f"bad header, line {number}: {_text(line, strict)}"


def trailer_fault(line: bytes, number: int, strict: bool) -> str:
    """The same of a line of a trailer, which the lenient reading does not look at."""
    good = not strict or not number or _TRAILER.fullmatch(line)
    return "" if good else f"bad trailer, line {number}: {_text(line, strict)}"


def clean_head(raw: bytes) -> bytes:
    """A head without a `head_fault` as a lenient client understands it: its fields, with proper line ends."""
    status, *lines = raw.split(b"\n")[:-2]
    match = _LOOSE_STATUS.fullmatch(status)
    assert match is not None
    minor = b"0" if match[1] in (b"0.9", b"1.0") else b"1"
    kept = [b"HTTP/1.%b %b %b" % (minor, match[2], _CONTROL.sub(b" ", match[3] or b""))]
    goes_on = False  # the line before is a field that a folded line can belong to
    for line in lines:
        text = _CONTROL.sub(b" ", line.removesuffix(b"\r"))
        if text[:1] in (b" ", b"\t"):
            if goes_on:
                kept[-1] += b" " + text.strip(b" \t")
            continue
        name, colon, value = text.partition(b":")
        name = name.rstrip(b" \t")
        goes_on = bool(colon) and _NAME.fullmatch(name) is not None
        if goes_on:
            kept.append(name + b":" + value)
    return b"\r\n".join([*kept, b"", b""])


def _text(line: bytes, strict: bool) -> str:
    """Without its line end, unless that is what is wrong."""
    if line.endswith(b"\r\n"):
        return shown(line[:-2])
    return shown(line if strict else line.removesuffix(b"\n"))
