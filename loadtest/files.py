"""Files that somebody named: whether one can be written, and a text that is read without trust in where it leads."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

from loadtest.errors import words

__all__ = ["MOST_BYTES", "read_text", "unwritable"]

MOST_BYTES = 16 << 20
WRITER_S = 2.0  # a pipe that nobody has opened for writing by then is empty
_CHUNK_BYTES = 1 << 20


def read_text(path: str | Path, most_bytes: int = MOST_BYTES) -> str:
    """The UTF-8 text (with or without a byte order mark) of a file, or of a pipe (`<(command)` of a shell).

    Raises OSError, UnicodeDecodeError, or ValueError for what is larger or a device: `words` of each can be shown.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer would block
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISFIFO(mode):
            _wait_for_writer(handle)
        elif stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif not stat.S_ISREG(mode):
            raise ValueError("it is a device, no file")
        data = bytearray()
        while chunk := os.read(handle, min(_CHUNK_BYTES, most_bytes + 1 - len(data))):
            data += chunk
            if len(data) > most_bytes:
                raise ValueError(f"it is larger than {most_bytes} bytes")
    finally:
        os.close(handle)
    return data.decode("utf-8-sig")


def unwritable(path: Path) -> str | None:
    """Why no file can be written there, in the system's words, as far as is known without trying; None: it can."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as problem:
        if os.access(path.parent, os.W_OK):
            return None
        return os.strerror(errno.EACCES) if path.parent.is_dir() else words(problem)
    except (OSError, ValueError) as problem:
        return words(problem)
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    return None if os.access(path, os.W_OK) else os.strerror(errno.EACCES)


def _wait_for_writer(handle: int) -> None:
    """Until there is something to read, or its writer has gone; then reads block until there is more."""
    until_s = time.monotonic() + WRITER_S
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while not poll.poll(50):
        if time.monotonic() > until_s:
            raise ValueError("it is a pipe, and nobody writes to it")
    os.set_blocking(handle, True)
