"""The bench's shortcut: what it leaves out, the rule would not have stopped."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.screen import may_stop
from benchmarks.whole_run import ROWS, Q, stop_of


@pytest.mark.parametrize("name", ["bursts of 20, 4 %", "30 levels, bursts of 10", "a minute, bursts of 10"])
def test_a_stream_that_is_left_out_is_not_stopped(name, monkeypatch) -> None:
    row, rng = ROWS[name], np.random.default_rng(3)
    streams = [row.draw(rng) for _ in range(6)] + [row.draw(rng) | row.draw(rng) for _ in range(6)]
    quick = [stop_of(flags, row) for flags in streams]
    monkeypatch.setattr("benchmarks.whole_run.may_stop", lambda *of: True)
    assert quick == [stop_of(flags, row) for flags in streams]
    assert any(quick)


def test_most_healthy_streams_are_left_out() -> None:
    row, rng = ROWS["independent 4 %"], np.random.default_rng(1)
    sums = [row.draw(rng).reshape(-1, row.rate).sum(axis=1) for _ in range(20)]
    assert not any(may_stop(each, row.rate, row.levels, row.level_s, Q) for each in sums)
