"""The kind of load in words, and the number of users above which it only queued."""

from __future__ import annotations

from dataclasses import replace

import pytest
from windows import changed_level

from loadtest.core.result.result import RunResult
from loadtest.report.workload import knee_of, workload_lines


def _words(result: RunResult) -> str:
    return "\n".join(line.plain for line in workload_lines(result))


def test_while_throughput_grows_there_is_no_knee(result: RunResult) -> None:
    assert knee_of(result.levels) is None
    assert "Above" not in _words(result)


def test_a_plateau_that_was_found_is_the_knee(result: RunResult) -> None:
    assert "Above 4 users more users brought no more" in _words(replace(result, evidence={"knee_users": 4.09}))


@pytest.mark.parametrize("rates", [(100.0, 101.0, 102.0), (100.0, 90.0, 92.0)])
def test_a_plateau_that_ended_nothing_is_told_too(result: RunResult, rates: tuple[float, ...]) -> None:
    levels = [
        changed_level(level, ok=round(rate * level.measured_s))
        for level, rate in zip(result.levels, rates, strict=True)
    ]
    assert "Above 2 users" in _words(replace(result, levels=tuple(levels)))
