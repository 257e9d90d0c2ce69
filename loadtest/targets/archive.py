"""Reads the regular files of a gzip tar archive that nobody vouches for, in memory and in one pass.

Not `tarfile`: it follows what the archive says (links, sparse maps, header chains, sizes of headers) and its fixes for
hostile input differ from Python to Python. Here every byte read is counted against a limit, nothing is written to
disk, no name is resolved, and what is not a plain file or folder is refused.
Formats: POSIX.1-1988 ustar, POSIX.1-2001 pax (path and size records), GNU long names and base-256 sizes.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

__all__ = ["MAX_MEMBERS", "MAX_UNPACKED_BYTES", "ArchiveError", "Member", "read_archive"]

MAX_MEMBERS = 10_000  # entries of any kind
MAX_UNPACKED_BYTES = 256 << 20  # everything that comes out of the decompressor, headers and skipped files too
_MAX_HEADER_BYTES = 64 << 10  # of one pax header or long name
_BLOCK = 512
_CHUNK_BYTES = 1 << 20

_FILES = frozenset((b"0", b"\0", b"7"))
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
}


class ArchiveError(Exception):
    """The bytes are no archive, a damaged one, or one over a limit; the text is the rule that is broken."""


class Member(NamedTuple):
    """One entry. size_bytes: as declared. body: None if it is refused or too large. fault: why it is refused, or ""."""

    name: str
    size_bytes: int
    body: bytes | None = None
    fault: str = ""


def read_archive(packed: IO[bytes], max_file_bytes: int) -> Iterator[Member]:
    """Every file of the archive in its order, and every entry that is refused; folders are left out.

    A file over `max_file_bytes` comes without its body. Raises ArchiveError where reading can't go on.
    """
    stream = _Stream(packed)
    long_name: str | None = None
    long_size: int | None = None
    for _ in range(MAX_MEMBERS):
        header = stream.read(_BLOCK)
        if not any(header):
            stream.drain()
            return
        name, size, kind = _header(header)
        if kind in (b"L", b"x", b"g", b"K"):
            records = _extended(stream, kind, size)
            long_name, long_size = records.get("path", long_name), _size(records.get("size"), long_size)
            continue
        name = name if long_name is None else long_name
        size = size if long_size is None else long_size
        long_name = long_size = None
        if kind == b"5":
            stream.skip(size)  # a folder has no content, but some writers give it a size
        elif kind in _FILES:
            yield _file(stream, name, size, max_file_bytes)
        elif kind == b"S":
            raise ArchiveError("the archive has a sparse file")
        else:
            yield Member(name, size, fault=f"is {_REFUSED.get(kind, 'an entry of an unknown kind')}")
            # The size of a link is that of what it points at: nothing follows.
            stream.skip(0 if kind in _REFUSED else size)
    raise ArchiveError(f"the archive has more than {MAX_MEMBERS:,} entries")


def _file(stream: _Stream, name: str, size: int, max_file_bytes: int) -> Member:
    fault = "has a name that leads out of the archive" if name.startswith("/") or ".." in name.split("/") else ""
    if name.endswith("/"):  # a folder, as writers before POSIX mark it
        fault = fault or ("is a folder with content" if size else "")
    if fault or size > max_file_bytes:
        stream.skip(size)
        return Member(name, size, fault=fault)
    body = stream.read(size)
    stream.skip_padding(size)
    return Member(name, size, body)


def _header(block: bytes) -> tuple[str, int, bytes]:
    """(name, size, kind) of a header block whose checksum is right."""
    told = _number(block[148:156])
    if told != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise ArchiveError("the archive is damaged: the checksum of a header is wrong")
    name = _text(block[:100])
    if block[257:262] == b"ustar" and block[262:263] == b"\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    return name, _number(block[124:136]), block[156:157]


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise ArchiveError("the archive is damaged: a number in a header is negative")
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise ArchiveError("the archive is damaged: a number in a header is none")
    return int(digits or b"0", 8)


def _size(text: str | None, before: int | None) -> int | None:
    if text is None:
        return before
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ArchiveError("the archive is damaged: the size in a pax header is no number")
    return int(text)


def _extended(stream: _Stream, kind: bytes, size: int) -> dict[str, str]:
    """What an extra header says about the next entry: its path, its size. A global one may not say either."""
    if size > _MAX_HEADER_BYTES:
        raise ArchiveError(f"a header of the archive has {size:,} bytes, more than {_MAX_HEADER_BYTES:,}")
    content = stream.read(size)
    stream.skip_padding(size)
    if kind == b"K":  # the long target of a link, which is refused anyway
        return {}
    if kind == b"L":
        return {"path": _text(content)}
    records = dict(_records(content))
    if any(name.startswith("GNU.sparse.") for name in records):
        raise ArchiveError("the archive has a sparse file")
    if kind == b"g":
        if records.keys() & {"path", "size"}:
            raise ArchiveError("the archive gives all files one name or size")
        return {}
    return {name: value for name, value in records.items() if name in ("path", "size")}


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """pax records: `LENGTH KEY=VALUE\\n`, where LENGTH is that of the whole record."""
    while content:
        digits, _, _ = content[:8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[len(digits) + 1 : length]
        name, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(content):
            raise ArchiveError("the archive is damaged: a pax header is malformed")
        yield _text(name), _text(value[:-1])
        content = content[length:]


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


class _Stream:
    """The unpacked bytes, counted: no read goes over the limit of the whole, so a bomb costs no more than that."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._left_bytes = MAX_UNPACKED_BYTES

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        parts = []
        while size:
            part = self._some(min(size, _CHUNK_BYTES))
            if not part:
                raise ArchiveError("the archive is truncated")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Past a content of `size` bytes and its padding."""
        for _ in range(size // _CHUNK_BYTES):
            self.read(_CHUNK_BYTES)
        self.read(size % _CHUNK_BYTES)
        self.skip_padding(size)

    def skip_padding(self, size: int) -> None:
        """From the end of a content of `size` bytes to the next block."""
        self.read(-size % _BLOCK)

    def drain(self) -> None:
        """To the end, which checks gzip's own checksum."""
        while self._some(_CHUNK_BYTES):
            pass

    def _some(self, size: int) -> bytes:
        try:
            part = self._file.read(size)
        except EOFError:
            raise ArchiveError("the archive is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as problem:
            raise ArchiveError(f"the file is no gzip archive or a damaged one ({problem})") from None
        self._left_bytes -= len(part)
        if self._left_bytes < 0:
            raise ArchiveError(f"the archive unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
        return part
