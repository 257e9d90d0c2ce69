"""Real mock endpoints in processes of their own, and raw connections to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from mock_wire import Wire

from loadtest.endpoint.latency import MockSettings
from loadtest.mock.process import MockProcess

StartMock = Callable[..., MockProcess]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[MockProcess]:
    """A fast endpoint that all tests share; none of them may depend on its counters' absolute values."""
    with MockProcess(MockSettings(servers=64, service_ms=1)) as process:
        yield process


@pytest.fixture
def start_mock() -> Iterator[StartMock]:
    """Starts a mock endpoint from the text of its settings; all are stopped at the end."""
    with ExitStack() as stack:

        def start(text: str = "", **options: object) -> MockProcess:
            return stack.enter_context(MockProcess(MockSettings.parse(text), **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def wire() -> Iterator[Callable[[MockProcess], Wire]]:
    with ExitStack() as stack:

        def connect(process: MockProcess) -> Wire:
            connection = Wire(process.url)
            stack.callback(connection.close)
            return connection

        yield connect
