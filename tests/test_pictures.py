"""The pictures of the docs: they are there, they are small, and their script shows a page as it is."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path

import pictures
import pytest
from pairs import stairs_run
from places import ROOT

from loadtest.report.html.render import write_report

SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)#]+\.png)\)")
PNG = b"\x89PNG\r\n\x1a\n"


def test_every_picture_is_shown_and_has_words_for_it() -> None:
    shown = {}
    for page in sorted((ROOT / "docs").glob("*.md")):
        for words, name in SHOWN.findall(page.read_text(encoding="utf-8")):
            shown[(page.parent / name).resolve()] = words
    assert set(shown) == set(pictures.PICTURES.glob("*.png"))
    assert all(len(words) > 20 for words in shown.values())


def test_they_are_small() -> None:
    found = sorted(pictures.PICTURES.glob("*.png"))
    assert {path.stem for path in found} == {pictures.CHART, *pictures.SCREENS}
    assert all(path.read_bytes().startswith(PNG) for path in found)
    assert sum(path.stat().st_size for path in found) < pictures.MOST_BYTES


@pytest.mark.live
def test_a_page_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium here")
    monkeypatch.setattr(pictures, "PICTURES", tmp_path)
    assert write_report(tmp_path / "report.html", [stairs_run(steps=2, length_s=20)]) == ""
    pictures.screenshot(chromium, tmp_path / "report.html", "report", str(tmp_path))
    found = (tmp_path / "report.png").read_bytes()
    assert found.startswith(PNG)
    assert struct.unpack(">II", found[16:24]) == (pictures.WIDTH, pictures.SCREENS["report"])
    assert len(found) > 20_000, "an empty page is smaller"
