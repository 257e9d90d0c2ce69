"""The file of an empirical law."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.endpoint.samples import read_samples
from loadtest.errors import SpecError


def test_one_latency_a_line(tmp_path: Path) -> None:
    (tmp_path / "ms").write_text("# measured\n5\n\n10.5  # slow\n")
    assert read_samples(tmp_path / "ms") == (5.0, 10.5)


def test_what_is_no_file_of_samples(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("a\n-1\nnan\n")
    (tmp_path / "nothing").write_text("")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, rule in {
        "pipe": "no regular file",
        "/dev/zero": "no regular file",
        ".": "no regular file",
        "absent": "cannot be read",
        "nothing": "holds no value",
        "bytes": "cannot be read",
        "a\0b": "cannot be read",
    }.items():
        with pytest.raises(SpecError, match=rule):
            read_samples(tmp_path / name)
    with pytest.raises(SpecError) as found:
        read_samples(tmp_path / "text")
    assert [problem.path for problem in found.value.problems] == [f"{tmp_path / 'text'}:{n}" for n in (1, 2, 3)]
