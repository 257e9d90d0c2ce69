"""A name that somebody gave may lead anywhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from loadtest import files
from loadtest.errors import words
from loadtest.files import read_text, unwritable


def test_text_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffnäh".encode())
    (tmp_path / "b").write_text("näh", encoding="utf-8")
    assert read_text(tmp_path / "a") == read_text(tmp_path / "b") == "näh"


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with open(pipe, "w") as stream:
            for _ in range(100):
                stream.write("x" * 10_000)
                stream.flush()

    writer = threading.Thread(target=write)
    writer.start()
    assert read_text(pipe) == "x" * 1_000_000
    writer.join()


def test_what_is_no_text_ends_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITER_S", 0.0)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bytes").write_bytes(b"ab\xff")
    (tmp_path / "long").write_bytes(b"x" * 101)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    said = {
        tmp_path / "pipe": "it is a pipe, and nobody writes to it",
        tmp_path / "bytes": "it is not UTF-8 text: byte 2 is 0xff",
        tmp_path / "long": "it is larger than 100 bytes",
        tmp_path / "loop": "Too many levels of symbolic links",
        tmp_path / "none": "No such file or directory",
        tmp_path / ("n" * 300): "File name too long",
        tmp_path / "a\0b": "the name has a null character in it",
        tmp_path: "Is a directory",
        Path("/dev/zero"): "it is a device, no file",
    }
    for path, text in said.items():
        with pytest.raises((OSError, ValueError)) as caught:
            read_text(path, 100)
        assert words(caught.value) == text, path


def test_where_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert unwritable(tmp_path / "file") is unwritable(tmp_path / "new") is None
    assert unwritable(tmp_path) == "Is a directory"
    assert unwritable(tmp_path / "none" / "new") == "No such file or directory"
    assert unwritable(tmp_path / "file" / "new") == "Not a directory"
    assert unwritable(tmp_path / ("n" * 300)) == "File name too long"
    assert unwritable(tmp_path / "a\0b") == "the name has a null character in it"
