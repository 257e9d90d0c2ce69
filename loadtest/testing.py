"""For test suites: a SageMaker that runs recommendation jobs, as a pytest fixture or as a context manager.

pytest finds the fixture by itself (entry point `pytest11`). It needs `loadtest[emulator]` when it is used, not before.

    def test_my_pipeline(sagemaker_recommender: str) -> None:
        sagemaker = boto3.client("sagemaker", endpoint_url=sagemaker_recommender, region_name="us-east-1", ...)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loadtest.emulator.server import EmulatorServer

__all__ = ["recommender", "sagemaker_recommender"]

_ENGINE = "loadtest_engine"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option `loadtest_engine`: sim (default) or live."""
    parser.addini(_ENGINE, "engine of the sagemaker_recommender fixture: sim (virtual time) or live", default="sim")


@contextmanager
def recommender(**options: Any) -> Iterator[EmulatorServer]:
    """A running emulator on a free port of 127.0.0.1, engine `sim`, jobs in memory, moto's state its own.

    options: of loadtest.emulator.server.EmulatorOptions. The address is the server's `url`. moto keeps its state per
    process, so it is emptied before and after: two of these at once in one process share it.
    """
    from loadtest.emulator.extra import emulator_server

    emulator = emulator_server()
    server: EmulatorServer = emulator.EmulatorServer(
        emulator.EmulatorOptions(**{"port": 0, "engine": "sim", **options})
    )
    try:
        server.forget_fallback()
        server.start()
        yield server
    finally:
        server.close()
        server.forget_fallback()


@pytest.fixture
def sagemaker_recommender(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an emulator of this test alone: nothing of it is seen by another test."""
    with recommender(engine=request.config.getini(_ENGINE)) as server:
        yield server.url
