"""Which process answers an endpoint's name: a running test's, or a mock made for an endpoint that a user created.

CreateEndpoint itself is the neighbour's. What it knows (endpoint, configuration, model) decides how the mock behaves,
by the same fleet file as the tested endpoints; the mock starts at the first invocation and ends with the endpoint.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zlib import crc32

from botocore.exceptions import ClientError

from loadtest.core.spec import Serverless
from loadtest.emulator.catalogue import Catalogue
from loadtest.emulator.inside import InsideClients
from loadtest.errors import EngineError
from loadtest.jobs.fleet import EndpointFacts
from loadtest.jobs.models import ModelFacts
from loadtest.mock.process import MockProcess
from loadtest.targets.mock_settings import MockSettings

if TYPE_CHECKING:
    from loadtest.jobs.fleet import Fleet

__all__ = ["Endpoints"]

_log = logging.getLogger(__name__)


class Endpoints:
    """The directory of endpoints. clients: of a neighbour that may hold endpoints; None: there is none.

    live: jobs send real traffic, so an existing endpoint is tested where it answers everybody else.
    """

    def __init__(self, clients: InsideClients | None, *, live: bool) -> None:
        self._clients = clients
        self._live = live
        self._fleet: Fleet | None = None
        self._mocks: dict[str, MockProcess] = {}
        self._lock = threading.Lock()
        self._open = True

    def follow(self, fleet: Fleet) -> None:
        """Take behaviour and running tests from this fleet; before that no endpoint is known."""
        self._fleet = fleet

    def invocation_url(self, name: str, *, streamed: bool = False) -> str | None:
        """Where InvokeEndpoint of that name goes; None: there is no such endpoint.

        Raises LoadtestError if there is one that cannot serve (its model does not fit on the instance).
        """
        fleet = self._fleet
        if fleet is None:
            return None
        stand_in = fleet.file.endpoints.get(name)
        if stand_in is not None and stand_in.target is not None and stand_in.target.startswith(("http:", "https:")):
            return stand_in.target
        base = _fleet_url(fleet, name) or self._mock_url(name, fleet)
        if base is None:
            return None
        return f"{base}/endpoints/{quote(name)}/invocations{'-response-stream' if streamed else ''}"

    def read(self, name: str, /) -> EndpointFacts | None:
        """An EndpointReader (loadtest.jobs.fleet) for jobs that test an existing endpoint."""
        variant = self._variant(name)
        if variant is None or self._fleet is None:
            return None
        return EndpointFacts(
            instance_type=variant.get("InstanceType"),
            instance_count=variant.get("InitialInstanceCount") or 1,
            url=self._mock_url(name, self._fleet) if self._live else None,
        )

    def forget(self, name: str) -> None:
        """The endpoint was deleted or changed: its mock ends, and the next invocation looks it up again."""
        with self._lock:
            mock = self._mocks.pop(name, None)
        if mock is not None:
            mock.stop()

    def close(self) -> None:
        """End every mock."""
        with self._lock:
            self._open = False
            names = list(self._mocks)
        for name in names:
            self.forget(name)

    def _mock_url(self, name: str, fleet: Fleet) -> str | None:
        with self._lock:
            mock = self._mocks.get(name)
            if mock is not None and mock.alive:
                return mock.url
        settings = self._settings(name, fleet)
        if settings is None:
            return None
        with self._lock:
            mock = self._mocks.get(name)
            if (mock is None or not mock.alive) and self._open:
                mock = self._mocks[name] = MockProcess(settings)
                mock.start()
            return None if mock is None else mock.url

    def _settings(self, name: str, fleet: Fleet) -> MockSettings | None:
        stand_in = fleet.file.endpoints.get(name)
        if stand_in is not None and stand_in.target is not None and stand_in.target.startswith("mock:"):
            return MockSettings.parse(stand_in.target)
        variant = self._variant(name)
        if variant is None or self._clients is None:
            return None
        facts, environment = self._model(variant.get("ModelName"))
        serverless = variant.get("ServerlessConfig")
        behaviour = fleet.behaviour(
            facts,
            (stand_in and stand_in.instance_type) or variant.get("InstanceType"),
            Serverless(serverless["MemorySizeInMB"], serverless["MaxConcurrency"]) if serverless else None,
            environment,
        )
        return behaviour.settings(name, crc32(name.encode()), variant.get("InitialInstanceCount") or 1)

    def _variant(self, name: str) -> Mapping[str, Any] | None:
        """The first production variant of an endpoint that is in service; None: there is no such endpoint."""
        if self._clients is None:
            return None
        sagemaker = self._clients.client("sagemaker")
        try:
            configuration = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
            variants = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"]
        except ClientError as refusal:
            _log.debug("endpoint %s: %s", name, refusal)
            return None
        return variants[0] if variants else None

    def _model(self, name: str | None) -> tuple[ModelFacts, Mapping[str, str]]:
        """What is known of a model, and its environment."""
        if name is None or self._clients is None:
            return ModelFacts(), {}
        facts = Catalogue(self._clients).model(name) or ModelFacts()
        try:
            model = self._clients.client("sagemaker").describe_model(ModelName=name)
        except ClientError:
            return facts, {}
        container: Mapping[str, Any] = model.get("PrimaryContainer") or next(iter(model.get("Containers") or ()), {})
        return facts, container.get("Environment") or {}


def _fleet_url(fleet: Fleet, name: str) -> str | None:
    try:
        return fleet.url(name)
    except EngineError:
        # The test ended between the look-up and the question.
        return None
