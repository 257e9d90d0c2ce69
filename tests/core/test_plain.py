"""Any value in JSON's own types."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.plain import plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), None),
        (True, True),
        (np.bool_(True), True),
        ((1, [2.5, "x", None]), [1, [2.5, "x", None]]),
        ({1: Reason.FLAT}, {"1": "FLAT"}),
        ({1}, "{1}"),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
