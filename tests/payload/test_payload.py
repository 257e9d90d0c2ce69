"""Request bodies from files and folders, and the random sequence of each user."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import SpecError
from loadtest.payload.payload import MAX_BODY_BYTES, Payloads, file_member, load_payloads
from loadtest.targets.base import Payload


def bodies(path: str | Path) -> dict[str, bytes]:
    return {item.name: item.body for item in load_payloads(PayloadSource(str(path))).items}


def problems(path: str | Path, content_type: str = "text/csv") -> str:
    with pytest.raises(SpecError) as refused:
        load_payloads(PayloadSource(str(path), content_type))
    return str(refused.value)


def test_without_a_path_there_is_one_json_body() -> None:
    (item,) = load_payloads(PayloadSource()).items
    assert item == Payload(b'{"instances": [[0.0]]}', "application/json", "built-in")


def test_a_file_is_one_body(tmp_path: Path) -> None:
    path = tmp_path / ".body.csv"
    path.write_bytes(b"1,2\n")
    (item,) = load_payloads(PayloadSource(str(path), "text/csv")).items
    assert item == Payload(b"1,2\n", "text/csv", ".body.csv")


def test_a_folder_is_its_visible_files_with_content_by_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes(b"linked")
    top = tmp_path / "top"
    for name in ("b.json", "a.json", "sub/c.json", "._a.json", ".DS_Store", "__MACOSX/x", ".git/y", "PaxHeader/z"):
        (top / name).parent.mkdir(exist_ok=True, parents=True)
        (top / name).write_bytes(name.encode())
    (top / "empty").touch()
    (top / "link.json").symlink_to(outside)
    (top / "dangling").symlink_to(tmp_path / "nowhere")
    (top / "loop").symlink_to(top)
    os.mkfifo(top / "pipe")
    assert list(bodies(top).items()) == [
        ("a.json", b"a.json"),
        ("b.json", b"b.json"),
        ("link.json", b"linked"),
        ("sub/c.json", b"sub/c.json"),
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "there is nothing of that name"),
        ("a\0b", "there is nothing of that name"),
        ("pipe", "must be a file, a folder"),
    ],
)
def test_a_path_that_is_no_payload(name: str, says: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert says in problems(f"{tmp_path}/{name}")


def test_an_empty_file_and_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert "has no file with content" in problems(tmp_path / "empty")
    assert "has no file with content" in problems(tmp_path)


def test_a_file_over_the_limit_is_named(tmp_path: Path) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(10 << 30)
    (tmp_path / "small.bin").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "large.bin"):
        assert "payload large.bin: has 10,737,418,240 bytes" in problems(path)


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\rb", "a\0b", "text/csv ", "téxt", "a\x7fb", "x" * 1025])
def test_a_content_type_that_is_no_header(value: str) -> None:
    with pytest.raises(SpecError, match="content type"):
        load_payloads(PayloadSource(None, value))


def _payloads(n: int) -> Payloads:
    return Payloads(tuple(Payload(str(i).encode()) for i in range(n)))


def _first(payloads: Payloads, seed: int, user: int, n: int = 2000) -> list[Payload]:
    pick = payloads.picker(seed, user)
    return [pick() for _ in range(n)]


def test_the_same_seed_and_user_draw_the_same() -> None:
    assert _first(_payloads(7), 1, 3) == _first(_payloads(7), 1, 3)
    # Written down: if numpy changes its generator, results stop being comparable and somebody should know.
    assert [int(p.body) for p in _first(_payloads(10), 1, 0, 12)] == [8, 4, 7, 5, 6, 7, 5, 9, 0, 0, 6, 1]


def test_users_and_seeds_differ() -> None:
    payloads = _payloads(7)
    sequences = [_first(payloads, seed, user, 50) for seed in (0, 1, -1, 1 << 70) for user in range(5)]
    assert all(one != other for one, other in itertools.combinations(sequences, 2))


@pytest.mark.parametrize("n", [2, 3, 300])
def test_every_body_is_drawn_as_often_as_any(n: int) -> None:
    draws = 600 * n
    counts = Counter(p.body for p in _first(_payloads(n), 5, 0, draws))
    assert len(counts) == n
    chi2 = sum((count - 600) ** 2 / 600 for count in counts.values())
    assert chi2 < n + 6 * (2 * n) ** 0.5 + 6  # far beyond the 99.9 % quantile; the draw is seeded


def test_one_body_is_drawn_always() -> None:
    assert _first(_payloads(1), 1, 0, 10) == [Payload(b"0")] * 10


def test_a_user_costs_little_memory() -> None:
    payloads = _payloads(50)
    payloads.picker(1, 0)()
    tracemalloc.start()
    try:
        pickers = [payloads.picker(1, user) for user in range(100)]
        for pick in pickers:
            pick()
        assert tracemalloc.get_traced_memory()[0] / len(pickers) < 4096
    finally:
        tracemalloc.stop()


def _zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "/"), body)
    return path


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz", "zip"])
def test_every_kind_of_archive_is_its_files(suffix: str, tmp_path: Path) -> None:
    """None is sent whole, as one body, without a word."""
    path, files = tmp_path / f"payload.{suffix.upper()}", {"a.json": b"a", "sub/b.json": b"b" * 2000}
    if suffix == "zip":
        _zipped(path, **{"a.json": b"a", "sub__b.json": b"b" * 2000, "empty": b"", "sub__": b"", "._a": b"x"})
    else:
        mode = {"tar": "w", "gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "tbz2": "w:bz2"}.get(
            suffix[-4:].split(".")[-1]
        )
        with tarfile.open(path, mode or "w:xz") as tar:
            for name, body in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
    assert bodies(path) == files


def test_an_archive_is_told_by_what_it_holds_where_its_name_says_another_kind(tmp_path: Path) -> None:
    assert bodies(_zipped(tmp_path / "p.tar.gz", a=b"1")) == {"a": b"1"}
    (tmp_path / "p.zip").write_bytes(b"no archive at all")
    assert "is no archive or a damaged one" in problems(tmp_path / "p.zip")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda archive: archive.writestr("../a", b"x"), "../a: has a name that leads out"),
        (lambda archive: archive.writestr("/etc/a", b"x"), "/etc/a: has a name that leads out"),
        (lambda archive: [archive.writestr("a", b"x") for _ in range(2)], "a: is there twice"),
        (lambda archive: archive.writestr(_link("a"), b"/etc/passwd"), "a: is a symbolic link"),
        (lambda archive: archive.writestr("a", bytes(MAX_BODY_BYTES + 1)), "a: has 6,291,457 bytes"),
        (lambda archive: [archive.writestr(f"a{i}", b"") for i in range(10_001)], "more than 10,000 entries"),
        (lambda archive: [archive.writestr(f"a{i}", bytes(6 << 20)) for i in range(44)], "more than 256 MiB"),
    ],
    ids=["parent", "absolute", "twice", "link", "large", "many", "bomb"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_zip_is_refused(prepare: Callable[[zipfile.ZipFile], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        prepare(archive)
    assert says in problems(path)


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_zip_gives_anything_but_words(data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(_zipped(tmp_path / "whole.zip", a=b"abc" * 50, b=b"x" * 600).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "p.zip"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(SpecError):
        load_payloads(PayloadSource(str(path)))


def test_a_name_that_is_no_utf_8_is_shown_and_hashed(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.json"), "wb") as file:
        file.write(b"x")
    payloads = load_payloads(PayloadSource(str(tmp_path)))
    assert [item.name for item in payloads.items] == ["caf\\xe9.json"]
    assert len(payloads.digest()) == 64


def test_a_file_without_an_end_blocks_nobody(tmp_path: Path) -> None:
    """As /proc/kmsg: a regular file by name, and a read that would wait. Here a pipe takes the file's place."""
    (tmp_path / "a").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    assert file_member(tmp_path / "a", "a").body == b"x"
    assert file_member(tmp_path / "pipe", "pipe").fault == "is no plain file"
