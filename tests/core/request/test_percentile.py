import pytest

from loadtest.core.request.percentile import percentile_of
from loadtest.core.request.spec import LatencyThreshold


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("P95", 0.95),
        ("P99", 0.99),
        ("P99.9", 0.999),
        ("P99.9999", 0.999999),
        ("P50", 0.5),
        ("P0", None),
        ("P100", None),
        ("p95", None),
        ("95", None),
        ("P9\u0665", None),
        ("P95 ", None),
        ("", None),
    ],
)
def test_percentile_of(name, share):
    assert percentile_of(name) == share
    if share is not None:
        assert LatencyThreshold(share, 1).name == name
