"""Student's t far out: against tables, and against its own probability."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from loadtest.core.stats.quantile import t_quantile


@pytest.mark.parametrize(
    ("tail", "freedom", "value"),
    [  # Abramowitz and Stegun, table 26.10
        (0.025, 1, 12.706),
        (0.025, 10, 2.228),
        (0.005, 5, 4.032),
        (0.0005, 1, 636.619),
        (0.0005, 4, 8.610),
        (0.0005, 8, 5.041),
        (0.0005, 30, 3.646),
        (0.0005, 120, 3.373),
    ],
)
def test_the_tables(tail: float, freedom: float, value: float) -> None:
    assert t_quantile(tail, freedom) == pytest.approx(value, abs=6e-4)


def test_many_degrees_are_normal() -> None:
    normal = -NormalDist().inv_cdf(1e-5)
    assert t_quantile(1e-5, math.inf) == pytest.approx(normal)
    assert t_quantile(1e-5, 99_999) == pytest.approx(normal, rel=1e-3)


def test_two_degrees_have_a_closed_form() -> None:
    for tail in (0.3, 0.01, 1e-6):
        share = 1 - 2 * tail
        assert t_quantile(tail, 2) == pytest.approx(share * math.sqrt(2 / (1 - share**2)), rel=1e-6)


def test_less_than_one_degree_bounds_nothing() -> None:
    assert t_quantile(0.01, 0.5) == math.inf


@pytest.mark.parametrize("tail", [0.0, 0.5, -1.0])
def test_a_tail_is_one(tail: float) -> None:
    with pytest.raises(ValueError, match="tail"):
        t_quantile(tail, 5)
