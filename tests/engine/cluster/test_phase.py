from __future__ import annotations

import pytest

from loadtest.engine.cluster.phase import RunPhase, too_early


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("ready", RunPhase.GATHERING),
        ("clock", RunPhase.GATHERING),
        ("failed", RunPhase.GATHERING),
        ("window", RunPhase.RUNNING),
        ("drained", RunPhase.DRAINING),
        ("cut", RunPhase.DRAINING),
    ],
)
def test_from_when_on_a_worker_can_say_what(kind: str, first: RunPhase) -> None:
    assert [phase for phase in RunPhase if not too_early(kind, phase)] == [
        phase for phase in RunPhase if phase >= first
    ]


def test_the_phases_are_in_the_order_of_time() -> None:
    assert [phase.name for phase in sorted(RunPhase)] == ["GATHERING", "OPENING", "RUNNING", "DRAINING", "CUTTING"]
