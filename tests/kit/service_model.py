"""The copy of the service model that botocore brings here: an older one knows less, in other words."""

from __future__ import annotations

import botocore
import pytest
from packaging.version import Version

__all__ = ["MODEL_VERSION", "OLDER", "needs_newer_model"]

MODEL_VERSION = "1.44.5"  # the botocore that the tests' words and tables were compared with
OLDER = Version(botocore.__version__) < Version(MODEL_VERSION)

needs_newer_model = pytest.mark.skipif(OLDER, reason="an older copy of the service model has less")
