"""Request bodies: from a file, a folder or a sample-payload archive to a seeded random sequence per user.

A sample-payload archive is what ContainerConfig.PayloadConfig.SamplePayloadUrl names: a gzip tar, one file is one body.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import IO

import numpy as np
import numpy.random  # at its first use numpy would load it in the middle of a measurement

from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import Problem, SpecError
from loadtest.payload.archive import MAX_MEMBERS, MAX_UNPACKED_BYTES, ArchiveError, ArchiveMember, read_archive
from loadtest.targets.base import Payload

__all__ = ["MAX_BODY_BYTES", "Payloads", "load_payloads"]

MAX_BODY_BYTES = 6_291_456  # BodyBlob of sagemaker-runtime's service model
MAX_CONTENT_TYPE = 1024  # characters; Header of the same
BUILT_IN = b'{"instances": [[0.0]]}'
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")
# What nobody means as a request: `.DS_Store`, `._x` of macOS, the extra headers of old tar writers.
_HIDDEN = re.compile(r"\.[^.]|\.\.+[^.]|__MACOSX$|PaxHeaders?(\.\d+)?$")
_DRAW = 512  # numbers drawn at a time: one kilobyte for each user
_SHOWN = 20  # problems listed of one source
_ONE_BODY = "one file is one request body of InvokeEndpoint, at most 6 MiB"


@dataclass(frozen=True, slots=True)
class Payloads:
    """The bodies of a run, 1 to 65,535, ordered by name."""

    items: tuple[Payload, ...]

    def picker(self, seed: int, user: int) -> Callable[[], Payload]:
        """A function that gives the payload of a user's next request, without end.

        Drawn uniformly, with replacement; the same (seed, user) gives the same sequence on every machine, and
        different users' sequences are independent. seed: any integer. user: 0 or more.
        """
        if len(self.items) == 1:
            return repeat(self.items[0]).__next__
        # Once per request, so it runs in C between two draws.
        return chain.from_iterable(_draws(self.items, np.random.default_rng((abs(seed), seed < 0, user)))).__next__

    def digest(self) -> str:
        """SHA-256 of all names and bodies, in hex: two machines that read the same have the same."""
        found = hashlib.sha256()
        for item in self.items:
            found.update(b"%d %d " % (len(item.name.encode()), len(item.body)))
            found.update(item.name.encode())
            found.update(item.body)
        return found.hexdigest()


def _draws(items: tuple[Payload, ...], rng: np.random.Generator) -> Iterator[Iterator[Payload]]:
    while True:
        yield map(items.__getitem__, array("H", rng.integers(len(items), size=_DRAW, dtype=np.uint16).tobytes()))


def load_payloads(source: PayloadSource) -> Payloads:
    """The bodies that `source` names: a file, the files of a folder and its subfolders, or those of an archive.

    Archives are told by their names: .tar, packed or not (.tar.gz, .tgz, .tar.bz2, .tbz2, .tar.xz, .txz), and .zip.
    Without a path: one small JSON body. Left out are empty files, and files and folders that hide (`.DS_Store`,
    `._x`), `__MACOSX` and `PaxHeader`. Raises SpecError with every problem: no such file, no body in it, a body over
    6 MiB (6,291,456 bytes), more than 10,000 entries or 256 MiB, an archive that is damaged or holds links, devices,
    names that lead out of it or one name twice, a file without an end, a content type that is no header value.
    """
    problems = list(_content_type_problems(source.content_type))
    bodies: dict[str, bytes] = {}
    if source.path is None:
        bodies["built-in"] = BUILT_IN
    else:
        try:
            _read(Path(source.path), bodies, problems)
        except ArchiveError as problem:
            problems.append(Problem("payload", source.path, str(problem)))
        except OSError as problem:
            problems.append(Problem("payload", problem.filename or source.path, f"cannot be read: {problem.strerror}"))
        if not bodies and not problems:
            problems.append(Problem("payload", source.path, "has no file with content", _ONE_BODY))
    if problems:
        more = len(problems) - _SHOWN
        hint = [Problem("payload", "", f"and {more} problems more")] if more > 0 else []
        raise SpecError(problems[:_SHOWN] + hint)
    return Payloads(tuple(Payload(bodies[name], source.content_type, name) for name in sorted(bodies)))


def _content_type_problems(text: str) -> Iterator[Problem]:
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        yield Problem("content type", repr(text), "must be one line of ASCII text", "for example application/json")
    elif len(text) > MAX_CONTENT_TYPE:
        yield Problem("content type", f"{len(text)} characters", f"has at most {MAX_CONTENT_TYPE} characters")


def _read(path: Path, bodies: dict[str, bytes], problems: list[Problem]) -> None:
    if path.is_dir():
        _collect(_folder(path), bodies, problems)
    elif not path.is_file():
        advice = "" if path.exists() else "there is nothing of that name"
        problems.append(Problem("payload", str(path), "must be a file, a folder or an archive", advice))
    elif path.name.lower().endswith(_ARCHIVES):
        with path.open("rb") as packed:
            _collect(_visible(packed), bodies, problems)
    else:
        _collect(iter((file_member(path, path.name),)), bodies, problems)


def _collect(members: Iterator[ArchiveMember], bodies: dict[str, bytes], problems: list[Problem]) -> None:
    for member in members:
        shown = ascii(member.name)[1:-1]
        if member.fault:
            problems.append(Problem(f"payload {shown}", "", member.fault, "give plain files only"))
        elif member.body is None:
            problems.append(Problem(f"payload {shown}", "", f"has {member.size_bytes:,} bytes", _ONE_BODY))
        elif member.body:
            name = member.name.removeprefix("./")
            if name in bodies:
                problems.append(Problem(f"payload {shown}", "", "is there twice", "give each body a name of its own"))
            bodies[name] = member.body


def _visible(packed: IO[bytes]) -> Iterator[ArchiveMember]:
    return (member for member in read_archive(packed, MAX_BODY_BYTES) if member.fault or not _hidden(member.name))


def _hidden(name: str) -> bool:
    return any(_HIDDEN.match(part) for part in name.split("/"))


def _folder(top: Path) -> Iterator[ArchiveMember]:
    """Its files, with links to files followed (mounted volumes are made of them) but not links to folders."""
    left = MAX_UNPACKED_BYTES
    seen = 0
    for folder, subfolders, names in os.walk(top, onerror=_raise):
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
        for name in sorted(names):
            path = Path(folder, name)
            seen += 1
            if seen > MAX_MEMBERS:
                raise ArchiveError(f"the folder has more than {MAX_MEMBERS:,} files")
            if _hidden(name) or not path.is_file():
                continue
            member = file_member(path, path.relative_to(top).as_posix())
            left -= len(member.body or b"")
            if left < 0:
                raise ArchiveError(f"the folder holds more than {MAX_UNPACKED_BYTES >> 20} MiB")
            yield member


def _raise(problem: OSError) -> None:
    raise problem


def file_member(path: Path, name: str) -> ArchiveMember:
    name = os.fsencode(name).decode("utf-8", "backslashreplace")  # a name may be any bytes, and is shown and hashed
    # Not blocking: a pipe that took the file's place, or one of the kernel's files without an end, must not hold us.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            return ArchiveMember(name, 0, fault="is no plain file")
        try:
            body = file.read(MAX_BODY_BYTES + 1)
        except BlockingIOError:
            body = None
    if body is None:
        return ArchiveMember(name, 0, fault="is a file without an end")
    return ArchiveMember(name, max(found.st_size, len(body)), None if len(body) > MAX_BODY_BYTES else body)
