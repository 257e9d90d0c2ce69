"""Emulators in this process (engine sim), and boto3 clients that are led to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_client import connect

from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorServer]:
    """One emulator for a module's tests; they use job names of their own."""
    with recommender() as server:
        yield server


@pytest.fixture(scope="module")
def sagemaker(emulator: EmulatorServer) -> Iterator[Any]:
    client = connect(emulator.url)
    yield client
    client.close()
