"""The command blocks of the docs, and how each of them is run: a comment before it says so.

<!-- runnable -->                       as it stands, in the page's folder, after those before it
<!-- runnable: slow; 2x5/10m => 1x2/2s; exit 0 3; silent; until http:// -->
                                        in `make test-slow`; with that text in place of the other; with one of these exit
                                        codes; nothing need be printed; ended when this is, for what serves on and on
<!-- file: job.yaml -->                 no command: it is written to that file, for those after it
<!-- not run: WHY -->                   WHY names the test that does it, or says what it would need
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

__all__ = ["PAGES", "Block", "Mark", "blocks_of", "mark_of"]

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_FENCE = re.compile(
    r"(?:^ *<!-- (?P<mark>[^\n]*) -->\n\n?)?^(?P<in> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.M | re.S
)
_INDENTED = re.compile(r"^ {4}(?:loadtest|aws|pip|make|docker|locust|python) .*$", re.M)


@dataclass(frozen=True)
class Mark:
    """verb: runnable, file, "not run", or "" where nothing is said. name: of the file, or the reason."""

    verb: str
    name: str = ""
    slow: bool = False
    changes: tuple[tuple[str, str], ...] = ()
    exits: tuple[int, ...] = (0,)
    silent: bool = False
    until: str = ""


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str
    mark: Mark

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def mark_of(comment: str) -> Mark:
    """ValueError for a comment that says something else."""
    verb, _, rest = comment.partition(":")
    rest = rest.strip()
    if verb in ("file", "not run") and rest:
        return Mark(verb, rest)
    if verb != "runnable":
        raise ValueError(comment)
    slow, silent, changes, exits, until = False, False, [], (0,), ""
    for word in (word.strip() for word in rest.split(";") if word.strip()):
        if word == "slow":
            slow = True
        elif word == "silent":
            silent = True
        elif " => " in word:
            old, _, new = word.partition(" => ")
            changes.append((old, new))
        elif match := re.fullmatch(r"exit ([\d ]+)", word):
            exits = tuple(int(code) for code in match[1].split())
        elif word.startswith("until "):
            until = word.removeprefix("until ")
        else:
            raise ValueError(word)
    return Mark(verb, "", slow, tuple(changes), exits, silent, until)


def blocks_of(page: Path) -> list[Block]:
    """In the order of the page. A command that is not in a fenced block would be overlooked: ValueError."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        depth = len(match["in"])
        body = "".join(line[depth:] if line[:depth].isspace() else line for line in match["text"].splitlines(True))
        line = text.count("\n", 0, match.start("kind")) + 1
        found.append(Block(page, line, match["kind"], body, mark_of(match["mark"]) if match["mark"] else Mark("")))
    outside = _FENCE.sub("", text)
    if loose := _INDENTED.findall(outside):
        raise ValueError(f"{page.name}: write it as a block: {loose[0].strip()}")
    return found
