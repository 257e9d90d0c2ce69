"""Against the tables: scipy.stats.t.ppf(0.975, freedom)."""

from __future__ import annotations

import pytest

from loadtest.core.stats.student import student


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1e9, 1.960)]
)
def test_students_t(freedom, expected) -> None:
    assert student(1.959963984540054, freedom) == pytest.approx(expected, rel=0.012)
