from __future__ import annotations

import pytest

from loadtest.engine.cluster.phase import Phase, too_early


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("ready", Phase.GATHERING),
        ("clock", Phase.GATHERING),
        ("failed", Phase.GATHERING),
        ("window", Phase.RUNNING),
        ("drained", Phase.DRAINING),
        ("cut", Phase.DRAINING),
    ],
)
def test_from_when_on_a_worker_can_say_what(kind: str, first: Phase) -> None:
    assert [phase for phase in Phase if not too_early(kind, phase)] == [phase for phase in Phase if phase >= first]


def test_the_phases_are_in_the_order_of_time() -> None:
    assert [phase.name for phase in sorted(Phase)] == ["GATHERING", "OPENING", "RUNNING", "DRAINING", "CUTTING"]
