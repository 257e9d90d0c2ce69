"""The designs that the run's evidence was compared with, on streams whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.designs import SETTINGS, stop_of


@pytest.mark.parametrize("name", SETTINGS)
def test_a_breach_is_found_when_its_blocks_are_over_and_perfection_is_not_stopped(name: str) -> None:
    evidence, blocks_s = SETTINGS[name]
    assert stop_of(np.zeros(6000, bool), 50, evidence, blocks_s) is None
    found = stop_of(np.ones(6000, bool), 50, evidence, blocks_s)
    assert found is not None
    assert min(blocks_s) <= found <= 30
    late = np.concatenate((np.zeros(3000, bool), np.ones(3000, bool)))
    again = stop_of(late, 50, evidence, blocks_s)
    assert again is not None
    assert 60 < again <= 90, "a restart finds what begins midway"


def test_a_spell_stops_short_blocks_only() -> None:
    flags = np.zeros(6000, bool)
    flags[1000:1250] = True  # 5 s
    stopped = {name for name, (evidence, blocks_s) in SETTINGS.items() if stop_of(flags, 50, evidence, blocks_s)}
    assert stopped == {"betting, 1 s", "betting, 1, 5, 25 s"}
