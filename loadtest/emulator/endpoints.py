"""Which process answers an endpoint's name: a running test's, or a mock made for an endpoint that a user created.

CreateEndpoint itself is the fallback's. What it knows (endpoint, configuration, model) decides how the mock behaves,
by the same fleet file as the tested endpoints; the mock starts at the first invocation and ends with the endpoint.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.emulator.catalogue import ModelCatalogue, check_refused
from loadtest.emulator.clients import InProcessClients
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import EngineError, LoadtestError
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.subject import Subject, Variant
from loadtest.mock.process import MockProcess

if TYPE_CHECKING:
    from loadtest.jobs.fleet import Fleet

__all__ = ["Endpoints", "UnknownVariant"]


class UnknownVariant(LoadtestError):
    """The endpoint has no production variant of that name."""


class Endpoints:
    """The directory of endpoints. clients: of a fallback that may hold endpoints; None: there is none.

    It is an EndpointDirectory (loadtest.jobs.subject): jobs test an existing endpoint where it answers everybody else.
    """

    def __init__(self, clients: InProcessClients | None) -> None:
        self._clients = clients
        self._fleet: Fleet | None = None
        self._front = ""
        self._mocks: dict[tuple[str, str], MockProcess] = {}  # by endpoint and variant, "" if it has none
        self._subjects: dict[str, Subject] = {}
        self._lock = threading.Lock()
        self._open = True

    def follow(self, fleet: Fleet, front: str) -> None:
        """Take behaviour and running tests from this fleet; before that no endpoint is known. front: URL of the server
        that asks this directory."""
        self._fleet = fleet
        self._front = front

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

    def subject(self, name: str, /) -> Subject | None:
        """The endpoint as it was created, with all of its models that matters; None: there is no such endpoint."""
        if self._clients is None:
            return None
        sagemaker = self._clients.client("sagemaker")
        try:
            endpoint = sagemaker.describe_endpoint(EndpointName=name)
            configuration = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        except (ClientError, BotoCoreError) as problem:
            check_refused(f"endpoint {name}", problem)
            return None
        # First what the configuration says, over it what the endpoint itself does: weights and counts can be changed.
        present = {each.get("VariantName"): each for each in endpoint.get("ProductionVariants", ())}
        given = [{**each, **present.get(each["VariantName"], {})} for each in configuration["ProductionVariants"]]
        catalogue = ModelCatalogue(self._clients)
        variants = tuple(_variant(each, catalogue) for each in given)
        asynchronous = bool(configuration.get("AsyncInferenceConfig"))
        return Subject(name, variants, existing=True, asynchronous=asynchronous) if variants else None

    def url(self, name: str, /) -> str | None:
        """Base URL of whoever answers an existing endpoint: its mock, or this server if variants share the requests."""
        fleet = self._fleet
        subject = None if fleet is None else self._known(name, fleet)
        if fleet is None or subject is None:
            return None
        return self._front if len(subject.variants) > 1 else self._mock_url(name, fleet, None)

    def forget(self, name: str) -> None:
        """The endpoint was deleted or changed: its mocks end, and the next invocation looks it up again."""
        with self._lock:
            self._subjects.pop(name, None)
            ended = [self._mocks.pop(key) for key in list(self._mocks) if key[0] == name]
        for mock in ended:
            mock.stop()

    def mock(self, name: str, variant: str = "") -> MockProcess | None:
        """Who serves an endpoint, or one variant of it; None: nobody does yet."""
        with self._lock:
            return self._mocks.get((name, variant))

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
        subject = self._known(name, fleet)
        if subject is None:
            return None
        variant = _chosen(subject, target)
        return self._served((name, variant.name), lambda: fleet.settings(name, variant))

    def _known(self, name: str, fleet: Fleet) -> Subject | None:
        with self._lock:
            known = self._subjects.get(name)
        if known is not None:
            return known
        found = fleet.existing(name)
        with self._lock:
            if found is not None and self._open:
                self._subjects[name] = found
        return found

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


def _variant(given: Mapping[str, Any], catalogue: ModelCatalogue) -> Variant:
    model = given.get("ModelName")
    facts = (catalogue.model(model) if model else None) or ModelFacts()
    serverless = given.get("ServerlessConfig") or given.get("CurrentServerlessConfig")
    count = given.get("CurrentInstanceCount") or given.get("InitialInstanceCount") or 1
    return Variant(
        name=given["VariantName"],
        facts=facts,
        instance_type=None if serverless else given.get("InstanceType"),
        serverless=Serverless(serverless["MemorySizeInMB"], serverless["MaxConcurrency"]) if serverless else None,
        environment=facts.environment,
        instance_count=1 if serverless else count,
        weight=given.get("CurrentWeight", given.get("InitialVariantWeight", 1.0)),
        model_name=model,
    )


def _chosen(subject: Subject, target: str | None) -> Variant:
    """The variant that a request is for: the one that it names, or one by the weights."""
    variants = subject.variants
    if target is not None:
        found = next((each for each in variants if each.name == target), None)
        if found is None:
            raise UnknownVariant(f"Variant {target[:63]} of endpoint {subject.endpoint_name}")
        return found
    weights = [each.weight for each in variants]
    return random.choices(variants, weights if any(weights) else None)[0]


def _fleet_url(fleet: Fleet, name: str) -> str | None:
    try:
        return fleet.url(name)
    except EngineError:
        # The test ended between the look-up and the question.
        return None
