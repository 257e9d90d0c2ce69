"""The limit of open files is raised for a run's connections, never lowered, and no further than the system lets it."""

from __future__ import annotations

import resource

import pytest

from loadtest.engine.parent.descriptors import SPARE, allow_connections

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "count", "becomes"),
    [
        (256, 4096, 1000, 1000 + SPARE),
        (256, 4096, 100, None),  # there is room
        (256, 500, 1000, 500),
        (500, 500, 1000, None),
        (256, NONE, 100_000, 100_000 + SPARE),
        (NONE, NONE, 100_000, None),
    ],
)
def test_how_far_it_is_raised(
    soft: int, hard: int, count: int, becomes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    allow_connections(count)
    assert asked == ([] if becomes is None else [(becomes, hard)])
