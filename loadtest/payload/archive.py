"""Reads the regular files of an archive that nobody vouches for, in memory and in one pass.

Tar (plain, or packed by gzip, bzip2 or xz) by `tarfile`'s stream mode, zip by `zipfile`. Every byte that comes out of a
decompressor is counted against a limit, nothing is written to disk, no name is resolved, and what is not a plain file
or folder is refused. Tar headers are read one by one, because `TarFile.next` takes a damaged one for the end.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

__all__ = ["MAX_MEMBERS", "MAX_UNPACKED_BYTES", "ArchiveError", "ArchiveMember", "read_archive"]

MAX_MEMBERS = 10_000  # entries of any kind
MAX_UNPACKED_BYTES = 256 << 20  # everything that comes out of the decompressor, headers and skipped files too
_CHUNK_BYTES = 1 << 20

_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# The readers were not made for input that lies: an empty name in a zip is an IndexError, say.
_DAMAGES = (
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    struct.error,
    LookupError,
    RuntimeError,
    ValueError,
)
_REFUSED = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
}


class ArchiveError(Exception):
    """The bytes are no archive, a damaged one, or one over a limit; the text is the rule that is broken."""


class ArchiveMember(NamedTuple):
    """One entry. size_bytes: as declared. body: None if it is refused or too large. fault: why it is refused, or ""."""

    name: str
    size_bytes: int
    body: bytes | None = None
    fault: str = ""


def read_archive(packed: IO[bytes], max_file_bytes: int) -> Iterator[ArchiveMember]:
    """Every file of the archive in its order, and every entry that is refused; folders are left out.

    packed: seekable, at its start; which kind of archive it is, its first bytes say. A file over `max_file_bytes` comes
    without its body. Raises ArchiveError where reading can't go on.
    """
    start = packed.read(6)
    packed.seek(0)
    try:
        if start.startswith(_ZIP):
            yield from _zip(packed, max_file_bytes)
            return
        unpack = next((unpack for mark, unpack in _PACKED.items() if start.startswith(mark)), None)
        yield from _tar(_Counted(packed if unpack is None else unpack(packed)), max_file_bytes)
    except EOFError:
        raise ArchiveError("the archive is truncated") from None
    except RecursionError:
        raise ArchiveError("the archive is damaged: its headers have headers without end") from None
    except _DAMAGES as problem:
        raise ArchiveError(f"the file is no archive or a damaged one ({problem})") from None


def _tar(unpacked: _Counted, max_file_bytes: int) -> Iterator[ArchiveMember]:
    try:
        tar = tarfile.open(  # type: ignore[call-overload]  # noqa: SIM115 - all it wants of a file is to read
            fileobj=unpacked, mode="r|", encoding="utf-8", errors="backslashreplace"
        )
    except tarfile.ReadError as problem:
        if not unpacked.any_data:
            if unpacked.total_bytes % tarfile.BLOCKSIZE or not unpacked.total_bytes:
                raise ArchiveError("the archive is truncated") from None
            return  # nothing but end marks
        raise ArchiveError(f"the file is no archive or a damaged one ({problem})") from None
    header = tar.next()
    for _ in range(MAX_MEMBERS):
        if header is None:
            unpacked.drain()
            return
        if header.size < 0:
            raise ArchiveError("the archive is damaged: a size in a header is negative")
        if header.size > MAX_UNPACKED_BYTES:
            raise ArchiveError(f"the archive is truncated, or unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
        member = _tar_member(tar, header, max_file_bytes)
        if member is not None:
            yield member
        header = _next_header(tar)
    raise ArchiveError(f"the archive has more than {MAX_MEMBERS:,} entries")


def _next_header(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """None: the end mark. `TarFile.next` would say so of a damaged header too."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    try:
        return tarfile.TarInfo.fromtarfile(tar)
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError):  # type: ignore[attr-defined]
        raise ArchiveError("the archive is truncated") from None
    except tarfile.HeaderError as problem:
        raise ArchiveError(f"the archive is damaged ({problem})") from None


def _tar_member(tar: tarfile.TarFile, header: tarfile.TarInfo, max_file_bytes: int) -> ArchiveMember | None:
    """None: a folder."""
    if header.isdir():
        return None
    fault = _name_fault(header.name)
    if header.type == tarfile.GNUTYPE_SPARSE or header.sparse is not None or "GNU.sparse.major" in header.pax_headers:
        fault = "is a sparse file"
    elif header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
        fault = f"is {_REFUSED.get(header.type, 'an entry of an unknown kind')}"
    if fault or header.size > max_file_bytes:
        return ArchiveMember(header.name, header.size, fault=fault)
    content = tar.extractfile(header)
    assert content is not None
    try:
        return ArchiveMember(header.name, header.size, content.read())
    except tarfile.ReadError:
        raise ArchiveError("the archive is truncated") from None


def _zip(packed: IO[bytes], max_file_bytes: int) -> Iterator[ArchiveMember]:
    left_bytes = MAX_UNPACKED_BYTES
    with zipfile.ZipFile(packed) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_MEMBERS:
            raise ArchiveError(f"the archive has more than {MAX_MEMBERS:,} entries")
        for entry in entries:
            if entry.is_dir():
                continue
            kind = stat.S_IFMT(entry.external_attr >> 16)
            fault = _name_fault(entry.filename)
            if entry.flag_bits & 1:
                fault = "is encrypted"
            elif kind not in (0, stat.S_IFREG):
                fault = "is a symbolic link" if kind == stat.S_IFLNK else "is no plain file"
            if fault or entry.file_size > max_file_bytes:
                yield ArchiveMember(entry.filename, entry.file_size, fault=fault)
                continue
            left_bytes -= entry.file_size
            if left_bytes < 0:
                raise ArchiveError(f"the archive unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
            # Not over what the directory says, whatever is packed there; the checksum tells if that was a lie.
            yield ArchiveMember(entry.filename, entry.file_size, archive.read(entry))


def _name_fault(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        return "has a name that leads out of the archive"
    return "is a folder with content" if name.endswith("/") else ""


class _Counted:
    """The unpacked bytes, counted: no read goes over the limit of the whole, so a bomb costs no more than that.

    total_bytes: read so far. any_data: some of them were not 0.
    """

    def __init__(self, unpacked: IO[bytes]) -> None:
        self._unpacked = unpacked
        self.total_bytes = 0
        self.any_data = False

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        part = self._unpacked.read(size)
        self.total_bytes += len(part)
        self.any_data = self.any_data or any(part)
        if self.total_bytes > MAX_UNPACKED_BYTES:
            raise ArchiveError(f"the archive unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
        return part

    def drain(self) -> None:
        """To the end, which checks the packer's own checksum."""
        while self.read(_CHUNK_BYTES):
            pass
