"""Bars and lines of characters: blocks where a terminal can show them, ASCII elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

__all__ = ["ASCII", "BLOCKS", "Glyphs", "glyphs_of"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that a terminal can show. ramp: of a sparkline, the lowest first. done, ahead: of the curve. full,
    empty: of a gauge. more: of cut text.
    """

    ramp: str
    done: str
    ahead: str
    full: str
    empty: str
    here: str
    more: str

    def sparkline(self, values: Sequence[float | None]) -> str:
        """A character for each value between 0 and the highest; a space where there is none."""
        top = max((value for value in values if value is not None), default=0.0) or 1.0
        steps, slack = len(self.ramp), 1e-9  # a value on a step's border is not to hang on how it was added up
        return "".join(
            " " if value is None else self.ramp[min(steps - 1, int(steps * value / top + slack))] for value in values
        )

    def gauge(self, share: float, width: int) -> tuple[str, str]:
        """(the filled part, the empty part), `width` characters together. share: 0..1; all that is not 0 shows."""
        filled = round(width * min(max(share, 0.0), 1.0))
        filled = max(filled, 1) if share > 0 else 0
        return self.full * filled, self.empty * (width - filled)


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "█", "░", "━", "─", "▼", "…")
ASCII = Glyphs("_.-=+*#@", "#", ":", "=", "-", "v", "~")


def glyphs_of(encoding: str) -> Glyphs:
    """Those that a terminal with this encoding can show."""
    try:
        "".join(astuple(BLOCKS)).encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return BLOCKS
