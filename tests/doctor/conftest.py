"""The doctor finds no AWS but what a test puts there."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_aws(no_aws_here: None) -> None:
    pass
