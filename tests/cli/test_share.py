"""A share is told in one way by every flag: with a percent sign, or as 0..1."""

from __future__ import annotations

from typing import Any

import click
import pytest

from loadtest.cli.share import PART, PART_OR_ALL, PART_OR_NONE


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), (" 5 % ", 0.05), ("0.05", 0.05), (".5", 0.5), ("99.9%", 0.999)]
)
def test_what_is_read(text: str, share: float) -> None:
    for kind in (PART, PART_OR_NONE, PART_OR_ALL):
        assert kind.convert(text, None, None) == pytest.approx(share)
        assert kind.convert(share, None, None) == share, "a default"


@pytest.mark.parametrize("text", ["", "5", "100.1%", "-1%", "5%%", "nan", "a half"])
def test_what_is_refused(text: str) -> None:
    for kind in (PART, PART_OR_NONE, PART_OR_ALL):
        with pytest.raises(click.BadParameter, match=r"such as 5% or 0\.05"):
            kind.convert(text, None, None)


@pytest.mark.parametrize(("kind", "ends"), [(PART, ()), (PART_OR_NONE, (0.0,)), (PART_OR_ALL, (0.0, 1.0))])
def test_which_ends_are_allowed(kind: click.ParamType[Any], ends: tuple[float, ...]) -> None:
    for text in ("0", "0%", "1", "100%"):
        share = float(text.rstrip("%")) / (100 if "%" in text else 1)
        if share in ends:
            assert kind.convert(text, None, None) == share
        else:
            with pytest.raises(click.BadParameter, match=r"above 0 and below|not a share (below|up to)"):
                kind.convert(text, None, None)


def test_a_search_and_a_comparison_read_the_same_text_alike(invoke: Any) -> None:
    for flags in (("capacity", "null:", "--within", "5"), ("run", "null:", "--margin", "5")):
        done = invoke(*flags)
        assert done.exit_code == 2
        assert "such as 5% or 0.05" in done.stderr
