"""What a result says of the test it is of."""

from __future__ import annotations

import pytest

from loadtest.core.request.spec import EndpointConfiguration, LoadTest, Serverless
from loadtest.core.result.info import info_of


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (LoadTest(0, endpoint_name="e"), {"test": 0, "endpoint_name": "e"}),
        (
            LoadTest(1, configuration=EndpointConfiguration("ml.c5.large"), environment=(("A", "1"), ("B", "2"))),
            {"test": 1, "instance_type": "ml.c5.large", "environment": {"A": "1", "B": "2"}, "price_per_hour_usd": 0.1},
        ),
        (
            LoadTest(
                2, configuration=EndpointConfiguration(serverless=Serverless(2048, 5), inference_specification="s")
            ),
            {
                "test": 2,
                "serverless": {"memory_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": None},
                "inference_specification": "s",
            },
        ),
    ],
)
def test_info_of_a_test(test: LoadTest, expected: dict[str, object]) -> None:
    assert info_of(test, expected.get("price_per_hour_usd")) == expected  # type: ignore[arg-type]
