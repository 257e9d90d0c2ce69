"""The terminal's words for a page: the same sentences, so that the two cannot disagree. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

__all__ = ["Sentence", "Words", "sentences"]


@dataclass(frozen=True, slots=True)
class Words:
    """Some words and how they are to look: CSS classes, such as "bold green"."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a page. indented: it belongs to the one before."""

    words: tuple[Words, ...]
    indented: bool = False

    @property
    def text(self) -> str:
        return "".join(words.text for words in self.words)


def sentences(parts: Iterable[RenderableType]) -> Iterator[Sentence]:
    """What the terminal would print, line by line; tables have pages of their own."""
    for part in parts:
        yield from _of(part, False)


def _of(part: RenderableType, indented: bool) -> Iterator[Sentence]:
    if isinstance(part, Group):
        for inner in part.renderables:
            yield from _of(inner, indented)
    elif isinstance(part, Padding):
        yield from _of(part.renderable, True)
    elif isinstance(part, (Text, str)):
        text = part if isinstance(part, Text) else Text(part)
        for line in text.split("\n"):
            bullet = line.plain.startswith(("  ", "- "))
            yield Sentence(tuple(_words(line)), indented or bullet)


def _words(line: Text) -> Iterator[Words]:
    """A line cut where its look changes."""
    marks = sorted({0, len(line), *(edge for span in line.spans for edge in (span.start, span.end))})
    for start, end in pairwise(marks):
        looks = [str(span.style) for span in line.spans if span.start <= start and end <= span.end]
        look = " ".join([*([str(line.style)] if line.style else []), *looks]).replace("bright_", "")
        if text := line.plain[start:end]:
            yield Words(text, look)
