"""Which process answers an endpoint's name: a running test's, or a mock made for an endpoint that a user created.

CreateEndpoint itself is the neighbour's. What it knows (endpoint, configuration, model) decides how the mock behaves,
by the same fleet file as the tested endpoints; the mock starts at the first invocation and ends with the endpoint.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zlib import crc32

from botocore.exceptions import ClientError

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.emulator.catalogue import ModelCatalogue
from loadtest.emulator.clients import InsideClients
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import EngineError, LoadtestError
from loadtest.jobs.fleet import EndpointFacts
from loadtest.jobs.models import ModelFacts
from loadtest.mock.process import MockProcess

if TYPE_CHECKING:
    from loadtest.jobs.fleet import Fleet

__all__ = ["Endpoints", "UnknownVariant"]

_log = logging.getLogger(__name__)

Variant = Mapping[str, Any]


class UnknownVariant(LoadtestError):
    """The endpoint has no production variant of that name."""


class Endpoints:
    """The directory of endpoints. clients: of a neighbour that may hold endpoints; None: there is none.

    live: jobs send real traffic, so an existing endpoint is tested where it answers everybody else.
    """

    def __init__(self, clients: InsideClients | None, *, live: bool) -> None:
        self._clients = clients
        self._live = live
        self._fleet: Fleet | None = None
        self._mocks: dict[tuple[str, str], MockProcess] = {}  # by endpoint and variant, "" if it has none
        self._variants: dict[str, Sequence[Variant]] = {}
        self._lock = threading.Lock()
        self._open = True

    def follow(self, fleet: Fleet) -> None:
        """Take behaviour and running tests from this fleet; before that no endpoint is known."""
        self._fleet = fleet

    def invocation_url(self, name: str, *, streamed: bool = False, variant: str | None = None) -> str | None:
        """Where InvokeEndpoint of that name goes; None: there is no such endpoint.

        variant: TargetVariant of the request; None: the variants share the requests by their weights.
        Raises UnknownVariant, LoadtestError if there is one that cannot serve (its model does not fit on the instance).
        """
        fleet = self._fleet
        if fleet is None:
            return None
        stand_in = fleet.file.endpoints.get(name)
        if stand_in is not None and stand_in.target is not None and stand_in.target.startswith(("http:", "https:")):
            return stand_in.target
        base = _fleet_url(fleet, name) or self._mock_url(name, fleet, variant)
        if base is None:
            return None
        return f"{base}/endpoints/{quote(name)}/invocations{'-response-stream' if streamed else ''}"

    def read(self, name: str, /) -> EndpointFacts | None:
        """An EndpointReader (loadtest.jobs.fleet) for jobs that test an existing endpoint."""
        variants = self._variants_of(name)
        if not variants or self._fleet is None:
            return None
        variant = variants[0]
        return EndpointFacts(
            instance_type=variant.get("InstanceType"),
            instance_count=_instances(variant),
            url=self._mock_url(name, self._fleet, variant["VariantName"]) if self._live else None,
            variant_name=variant["VariantName"],
        )

    def forget(self, name: str) -> None:
        """The endpoint was deleted or changed: its mocks end, and the next invocation looks it up again."""
        with self._lock:
            self._variants.pop(name, None)
            ended = [self._mocks.pop(key) for key in list(self._mocks) if key[0] == name]
        for mock in ended:
            mock.stop()

    def close(self) -> None:
        """End every mock."""
        with self._lock:
            self._open = False
            names = {name for name, _ in self._mocks}
        for name in names:
            self.forget(name)

    def _mock_url(self, name: str, fleet: Fleet, target: str | None) -> str | None:
        stand_in = fleet.file.endpoints.get(name)
        ref = TargetRef(stand_in.target or "") if stand_in is not None else None
        if ref is not None and ref.is_mock:
            return self._served((name, ""), lambda: MockSettings.parse(ref.rest))
        with self._lock:
            variants = self._variants.get(name)
        if variants is None:
            variants = self._variants_of(name)
            with self._lock:
                if variants and self._open:
                    self._variants[name] = variants
        if not variants:
            return None
        variant = _chosen(variants, name, target)
        return self._served((name, variant["VariantName"]), lambda: self._settings(name, variant, fleet))

    def _served(self, key: tuple[str, str], settings: Callable[[], MockSettings]) -> str | None:
        """URL of the mock of an endpoint's variant, which starts if it does not run; None: the server is closing."""
        with self._lock:
            mock = self._mocks.get(key)
            if mock is not None and mock.alive:
                return mock.url
        made = settings()
        with self._lock:
            mock = self._mocks.get(key)
            if (mock is None or not mock.alive) and self._open:
                mock = self._mocks[key] = MockProcess(made)
                mock.start()
            return None if mock is None else mock.url

    def _settings(self, name: str, variant: Variant, fleet: Fleet) -> MockSettings:
        stand_in = fleet.file.endpoints.get(name)
        facts, environment = self._model(variant.get("ModelName"))
        serverless = variant.get("ServerlessConfig")
        behaviour = fleet.behaviour(
            facts,
            (stand_in and stand_in.instance_type) or variant.get("InstanceType"),
            Serverless(serverless["MemorySizeInMB"], serverless["MaxConcurrency"]) if serverless else None,
            environment,
        )
        return behaviour.settings(name, crc32(name.encode()), _instances(variant), variant["VariantName"])

    def _variants_of(self, name: str) -> list[Variant]:
        """The production variants of an endpoint that is in service, first what its configuration says, over it what
        the endpoint itself does (weights and counts can be changed); none: there is no such endpoint.
        """
        if self._clients is None:
            return []
        sagemaker = self._clients.client("sagemaker")
        try:
            endpoint = sagemaker.describe_endpoint(EndpointName=name)
            configuration = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        except ClientError as refusal:
            _log.debug("endpoint %s: %s", name, refusal)
            return []
        present = {each.get("VariantName"): each for each in endpoint.get("ProductionVariants", ())}
        return [{**each, **present.get(each["VariantName"], {})} for each in configuration["ProductionVariants"]]

    def _model(self, name: str | None) -> tuple[ModelFacts, Mapping[str, str]]:
        """What is known of a model, and its environment."""
        if name is None or self._clients is None:
            return ModelFacts(), {}
        facts = ModelCatalogue(self._clients).model(name) or ModelFacts()
        try:
            model = self._clients.client("sagemaker").describe_model(ModelName=name)
        except ClientError:
            return facts, {}
        container: Mapping[str, Any] = model.get("PrimaryContainer") or next(iter(model.get("Containers") or ()), {})
        return facts, container.get("Environment") or {}


def _instances(variant: Variant) -> int:
    return variant.get("CurrentInstanceCount") or variant.get("InitialInstanceCount") or 1


def _chosen(variants: Sequence[Variant], name: str, target: str | None) -> Variant:
    """The variant that a request is for: the one that it names, or one by the weights."""
    if target is not None:
        found = next((each for each in variants if each["VariantName"] == target), None)
        if found is None:
            raise UnknownVariant(f"Variant {target[:63]} of endpoint {name}")
        return found
    weights = [each.get("CurrentWeight", each.get("InitialVariantWeight", 1.0)) for each in variants]
    return random.choices(variants, weights if any(weights) else None)[0]


def _fleet_url(fleet: Fleet, name: str) -> str | None:
    try:
        return fleet.url(name)
    except EngineError:
        # The test ended between the look-up and the question.
        return None
