"""The framing of a chunked body (RFC 9112, 7.1): size lines and chunk ends. Raises Malformed, with the place."""

from __future__ import annotations

import re

from loadtest.wire.lines import TEXT, Malformed, shown

__all__ = ["chunk_end", "chunk_size"]

_MAX_BYTES = 4 * 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;" + TEXT + rb")?\r\n")
_LOOSE_SIZE = re.compile(rb"[ \t]*\+?(?:0[xX])?([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


def chunk_size(buffer: bytes, at: int, strict: bool, start: int) -> tuple[int, int]:
    """(size, where its line ends in the buffer); (0, 0): it is not whole yet. start: where in the body `at` is."""
    end = buffer.find(b"\n", at, at + _MAX_BYTES) + 1
    if not end and len(buffer) - at < _MAX_BYTES:
        return 0, 0
    end = end or at + _MAX_BYTES
    match = (_SIZE if strict else _LOOSE_SIZE).fullmatch(buffer, at, end)
    if match is None:
        found = shown(buffer[at:end].removesuffix(b"\r\n"))
        raise Malformed(f"bad chunk size at byte {start} of the body: {found}")
    return int(match[1], 16), end


def chunk_end(buffer: bytes, at: int, strict: bool, start: int) -> int:
    """Where the line end after a chunk's data ends in the buffer; 0: it is not whole yet."""
    found = buffer[at : at + 2]
    if found == b"\r\n":
        return at + 2
    if found[:1] == b"\n" and not strict:
        return at + 1
    if found in (b"", b"\r"):
        return 0
    wrong = found if found[:1] == b"\r" else found[:1]
    raise Malformed(f"bad end of chunk at byte {start} of the body: {shown(wrong)}")
