"""A few pairs of the benchmark, so that it keeps working; how good the method is, only many tell."""

from __future__ import annotations

import pytest

from benchmarks.compare_quality import PACES, equal_pairs, pair


@pytest.mark.parametrize("pace", ["steady", "bursts", "drift"])
def test_equal_endpoints(pace: str) -> None:
    assert pace in PACES
    for found in equal_pairs(pace, 8, seed=31):
        assert not found.of("worse")
        assert not found.of("better")


def test_a_tenth_slower() -> None:
    assert pair("steady", 0.10, 1, seed=31_000_000).answer == "worse"
