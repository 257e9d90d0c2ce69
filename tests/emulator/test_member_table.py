"""docs/emulator.md says of every member of a job request what is checked and what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from loadtest.core.result.unused import unused_members
from loadtest.emulator.model import operation

PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"
ROW = re.compile(r"^\| `([A-Z][A-Za-z0-9.\[\]]*)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def members(shape: Shape | None, path: str = "") -> Iterator[str]:
    """Every member below a shape, in the model's order: `Tags[].Key`."""
    if isinstance(shape, ListShape):
        yield from members(shape.member, f"{path}[]")
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            inner = f"{path}.{name}" if path else name
            yield inner
            yield from members(member, inner)


def test_a_run_names_the_server_as_the_one_that_uses_what_the_table_gives_an_effect() -> None:
    effects = {name: effect for name, _, effect in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    for name in (name for name in effects if "[]" not in name):
        request: dict[str, Any] = {"InputConfig": {}}
        place = request
        *folders, last = name.split(".")
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = [{"EndpointName": "a"}] if last == "Endpoints" else "given"
        for found in unused_members(request):
            if found.member == name:
                assert ("loadtest serve" in found.verb) != effects[name].startswith("stored only"), name


def test_the_table_has_every_member_of_a_request_once_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("## What each member of a job does")[2].partition("\n## ")[0]
    rows = ROW.findall(section)
    known = list(members(operation("CreateInferenceRecommendationsJob").input_shape))
    assert [name for name, _, _ in rows] == known
    assert all(checked.strip() and effect.strip() for _, checked, effect in rows)
    assert section.count("\n| `") == len(rows), "every row has three columns"
