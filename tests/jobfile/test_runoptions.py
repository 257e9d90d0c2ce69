"""The table of option bounds follows RunOptions."""

import dataclasses

import pytest

from loadtest.core.request.spec import RunOptions
from loadtest.jobfile.runoptions import OPTION_BOUNDS


def test_every_option_has_bounds_and_its_default_keeps_them():
    assert list(OPTION_BOUNDS) == [field.name for field in dataclasses.fields(RunOptions)]
    for name, default in dataclasses.asdict(RunOptions()).items():
        assert OPTION_BOUNDS[name].fault(default) is None


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("window_s", 0.05, True),
        ("window_s", 0.049, False),
        ("window_s", 60, True),
        ("seed", 2**63 - 1, True),
        ("seed", 2**63, False),
        ("max_error_ratio", None, True),
        ("drain_s", None, False),
        ("latency_clock", "model", True),
        ("latency_clock", "MODEL", False),
    ],
)
def test_borders(name, value, good):
    assert (OPTION_BOUNDS[name].fault(value) is None) is good
