"""Sample-payload archives as they are written, and hostile and damaged ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import SpecError
from loadtest.payload.archive import MAX_MEMBERS, MAX_UNPACKED_BYTES, ArchiveError, ArchiveMember, read_archive
from loadtest.payload.payload import MAX_BODY_BYTES, load_payloads

REG, LINK, SYMLINK, CHR, BLK, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
END = bytes(1024)


def entry(name: str | bytes, body: bytes = b"", kind: bytes = REG, *, size: int | bytes | None = None) -> bytes:
    """A ustar entry made by hand, so that it may lie. size: what the header says instead of the truth."""
    raw = name.encode() if isinstance(name, str) else name
    field = size if isinstance(size, bytes) else b"%011o\0" % (len(body) if size is None else size)
    head = raw.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field + b"00000000000\0"
    head += b" " * 8 + kind + b"target".ljust(100, b"\0") + b"ustar\00000"
    head = head.ljust(512, b"\0")
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    return head + body + bytes(-len(body) % 512)


def pax(**records: str) -> bytes:
    content = b""
    for name, value in records.items():
        text = f" {name.replace('__', '.')}={value}\n".encode()
        length = len(text) + len(str(len(text)))
        length += len(str(length)) - len(str(len(text)))
        content += str(length).encode() + text
    return content


def write(tmp_path: Path, *entries: bytes, end: bytes = END, name: str = "payload.tar.gz") -> str:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"".join(entries) + end, 1))
    return str(path)


def bodies(path: str | Path) -> dict[str, bytes]:
    return {item.name: item.body for item in load_payloads(PayloadSource(str(path))).items}


def problems(path: str | Path, content_type: str = "text/csv") -> str:
    with pytest.raises(SpecError) as refused:
        load_payloads(PayloadSource(str(path), content_type))
    return str(refused.value)


FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("format", FORMATS)
def test_an_archive_as_tar_writes_it(format: str, tmp_path: Path) -> None:
    long = "d" * 90 + "/" + "f" * 90  # more than the 100 bytes of a header's name field
    files = {"b.json": b"bb", "a.json": b"a" * 1000, "./c.json": b"c", long: b"l", "sub/ü.json": b"u", "empty": b""}
    path = tmp_path / "payload.tgz"
    with tarfile.open(path, "w:gz", format=FORMATS[format]) as tar:
        folder = tarfile.TarInfo("sub")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, body in {**files, "._a.json": b"x", "sub/.DS_Store": b"y", "__MACOSX/a": b"z"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            info.mtime = 1.5  # a pax record that is of no interest
            tar.addfile(info, io.BytesIO(body))
    expected = {name.removeprefix("./"): body for name, body in files.items() if body}
    assert bodies(path) == expected
    assert list(bodies(path)) == sorted(expected)


NAMES = st.text(st.characters(blacklist_characters="/\0\\", blacklist_categories=("Cs",)), min_size=1, max_size=150)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6), st.sampled_from(sorted(FORMATS)))
def test_what_tarfile_writes_we_read(files: dict[str, bytes], format: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=FORMATS[format], encoding="utf-8") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(f"x{name}")
            info.size = len(body)
            try:
                tar.addfile(info, io.BytesIO(body))
            except ValueError:  # ustar has no room for the name
                return
    packed.seek(0)
    # Control characters come out as they are; they are made visible only in messages.
    assert [(m.name, m.body) for m in read_archive(packed, 2000)] == [(f"x{n}", b) for n, b in files.items()]


def test_sizes_in_base_256_and_from_pax_records(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        entry("a", b"abc", size=b"\x80" + (3).to_bytes(11, "big")),
        entry("h", pax(path="renamed", size="3"), b"x"),
        entry("b", b"def", size=0),
        entry("g", pax(comment="x"), b"g"),
        entry("c", b"g"),
    )
    assert bodies(path) == {"a": b"abc", "renamed": b"def", "c": b"g"}


def test_the_largest_body_is_allowed(tmp_path: Path) -> None:
    assert len(bodies(write(tmp_path, entry("a", bytes(MAX_BODY_BYTES))))["a"]) == MAX_BODY_BYTES


# What is refused

HOSTILE: dict[str, tuple[Iterable[bytes], str]] = {
    "absolute": ([entry("/etc/cron.d/x", b"x")], "/etc/cron.d/x: has a name that leads out of the archive"),
    "parent": ([entry("a/../../x", b"x")], "a/../../x: has a name that leads out of the archive"),
    "pax parent": ([entry("h", pax(path="../x"), b"x"), entry("a", b"x")], "../x: has a name that leads out"),
    "long parent": ([entry("l", b"../x\0", b"L"), entry("a", b"x")], "../x: has a name that leads out"),
    "symlink": ([entry("a", kind=SYMLINK)], "a: is a symbolic link"),
    "hard link": ([entry("a", kind=LINK, size=10_000)], "a: is a hard link"),
    "character device": ([entry("a", kind=CHR)], "a: is a character device"),
    "block device": ([entry("a", kind=BLK)], "a: is a block device"),
    "pipe": ([entry("a", kind=FIFO)], "a: is a named pipe"),
    "multi-volume": ([entry("a", b"x", b"M")], "a: is an entry of an unknown kind"),
    "old sparse": ([entry("a", b"x", b"S")], "a: is a sparse file"),
    "pax sparse": ([entry("h", pax(GNU__sparse__major="1"), b"x"), entry("a", b"x")], "a: is a sparse file"),
    "global path": ([entry("h", pax(path="a"), b"g"), entry("b", b"x"), entry("c", b"y")], "a: is there twice"),
    "same name": ([entry("a", b"x"), entry("./a", b"y")], "a: is there twice"),
    "folder with content": ([entry("a/", b"x")], "a/: is a folder with content"),
    "too large": ([entry("a", bytes(MAX_BODY_BYTES + 1))], "a: has 6,291,457 bytes"),
    "wrong checksum": ([b"x" + entry("a", b"x")[1:]], "damaged one (bad checksum)"),
    "negative size": ([entry("a", size=b"\xff" * 12)], "damaged"),  # newer versions of tarfile say so themselves
    "size that is none": ([entry("a", size=b"9" * 12)], "damaged one (invalid header)"),
    "endless size": ([entry("a", size=b"\x80" + b"\x7f" * 11)], "the archive is truncated"),
    "endless pax size": ([entry("h", pax(size="9" * 18), b"x"), entry("a")], "the archive is truncated"),
    "pax size that is none": ([entry("h", pax(size="x"), b"x"), entry("a")], "has no file with content"),
    "pax size of many digits": ([entry("h", pax(size="9" * 5000), b"x"), entry("a")], "has no file with content"),
    "pax record without length": ([entry("h", b"path=a\n", b"x")], "damaged one ("),
    "pax record too long": ([entry("h", b"99 path=a\n", b"x")], "damaged one ("),
    "pax record of length 0": ([entry("h", b"0 path=a\n", b"x")], "damaged one ("),
    "huge pax header": ([entry("h", bytes(70_000), b"x")], "damaged one ("),
    "huge long name": (
        [entry("l", size=b"\x80" + (1 << 40).to_bytes(11, "big"), kind=b"L")],
        "damaged one (",
    ),
    "header chain": ([entry("l", b"name", b"L")] * (MAX_MEMBERS + 1), "headers without end"),
    "many files": ([entry(f"a{i}", b"x") for i in range(MAX_MEMBERS + 1)], "more than 10,000 entries"),
    "only empty": ([entry("a"), entry("b/", kind=DIR), entry("._c", b"x")], "has no file with content"),
    "nothing": ([], "has no file with content"),
    "garbage": ([random.Random(1).randbytes(2048)], "damaged one ("),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused(case: str, tmp_path: Path) -> None:
    entries, says = HOSTILE[case]
    before = sorted(tmp_path.parent.rglob("*"))
    path = write(tmp_path, *entries)
    assert says in problems(path)
    assert sorted(tmp_path.parent.rglob("*")) == sorted([*before, Path(path)]), "something was extracted"


def test_every_bad_entry_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, entry("a", kind=SYMLINK), entry("ok", b"x"), entry("../b", b"x"), entry("c\n", kind=FIFO))
    assert problems(path, "text/csv\r\nX: y").splitlines() == [
        "content type: must be one line of ASCII text (got 'text/csv\\r\\nX: y'); for example application/json",
        "payload a: is a symbolic link; give plain files only",
        "payload ../b: has a name that leads out of the archive; give plain files only",
        "payload c\\n: is a named pipe; give plain files only",
    ]


def test_a_long_list_of_problems_is_cut(tmp_path: Path) -> None:
    lines = problems(write(tmp_path, *[entry(f"link{i}", kind=SYMLINK) for i in range(500)])).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "payload: and 480 problems more"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zeros after the end", "folder content"])
def test_a_bomb_costs_bounded_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    start = entry("a", b"x")
    if kind == "folder content":
        start += entry("d", kind=DIR, size=7 << 30)
    # Members of a gzip file simply follow each other.
    zeros = gzip.compress(bytes(16 << 20))
    path.write_bytes(gzip.compress(start) + zeros * ((MAX_UNPACKED_BYTES >> 24) + 1))
    assert path.stat().st_size < 4 << 20
    tracemalloc.start()
    try:
        assert "unpacks to more than 256 MiB" in problems(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def _whole() -> bytes:
    return gzip.compress(entry("a", random.Random(2).randbytes(5000)) + entry("b", b"x") + END)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: b"", "the archive is truncated"),
        (lambda whole: b"not gzip at all", "the file is no archive or a damaged one"),
        (lambda whole: whole[:5], "the archive is truncated"),
        (lambda whole: whole[: len(whole) // 2], "the archive is truncated"),
        (lambda whole: whole[:-4], "the archive is truncated"),
        (lambda whole: whole[:-8] + bytes(8), "the file is no archive or a damaged one"),
        (lambda whole: whole[:1000] + b"\xff" * 100 + whole[1100:], "damaged"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:-1024]), "the archive is truncated"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:3000]), "the archive is truncated"),
    ],
    ids=["empty", "text", "head", "half", "no length", "wrong crc", "flipped", "no end mark", "half tar"],
)
def test_a_damaged_archive_is_refused(damage: Callable[[bytes], bytes], says: str, tmp_path: Path) -> None:
    path = tmp_path / "p.tar.gz"
    path.write_bytes(damage(_whole()))
    assert says in problems(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_gives_anything_but_an_archive_error(data: st.DataObject) -> None:
    tar = bytearray(entry("h", pax(path="p", size="3"), b"x") + entry("a", b"abc") + entry("b", b"x" * 600) + END)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(tar) - 1))
        tar[at] = data.draw(st.integers(0, 255))
    packed = gzip.compress(bytes(tar), 1)
    if data.draw(st.booleans()):
        packed = packed[: data.draw(st.integers(0, len(packed)))]
    members: list[ArchiveMember] = []
    with contextlib.suppress(ArchiveError):
        members.extend(read_archive(io.BytesIO(packed), 1000))
    assert all(m.body is None or len(m.body) == m.size_bytes <= 1000 for m in members)
