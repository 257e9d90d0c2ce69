"""Where tested endpoints come from: mock endpoints that behave as the fleet file says, or the real targets it names.

Live, every mock endpoint is a process of its own that anyone may invoke while its test runs; in virtual time it is
only a `mock:` reference. What is opened is closed by whoever opened it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from zlib import crc32

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import LoadtestError, TargetError
from loadtest.jobs.fleet_file import FleetFile, StandIn
from loadtest.jobs.fleet_model import Behaviour, Machine, behaviour_of
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.prices import Prices
from loadtest.mock.process import MockProcess

__all__ = ["EndpointFacts", "EndpointReader", "Fleet", "OpenEndpoint", "Subject"]


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """What is known of an endpoint that exists outside the job.

    url: base URL of a runtime API that serves it; None: nobody does, a mock stands in for it.
    variant_name: of the production variant that these are the facts of.
    """

    instance_type: str | None = None
    instance_count: int = 1
    url: str | None = None
    variant_name: str = "AllTraffic"


EndpointReader = Callable[[str], EndpointFacts | None]
"""Looks an existing endpoint up by its name; None: it is not known."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test tests. existing: an endpoint that is there already; else exactly one of the next two is given."""

    endpoint_name: str
    existing: bool = False
    instance_type: str | None = None
    serverless: Serverless | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class OpenEndpoint:
    """An endpoint that can be invoked until it is closed; a context manager.

    behaviour: how its model behaves; None: it is a real target. instances: machines behind it.
    """

    def __init__(
        self,
        target: TargetRef,
        behaviour: Behaviour | None = None,
        instances: int = 1,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.target = target
        self.behaviour = behaviour
        self.instances = instances
        self._on_close = on_close

    def close(self) -> None:
        """Ends the endpoint's process, if it has one; may be called again."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> OpenEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Fleet:
    """Opens endpoints. Thread-safe."""

    def __init__(
        self,
        file: FleetFile,
        catalogue: Catalogue,
        prices: Prices,
        live: bool,
        endpoint_reader: EndpointReader | None = None,
    ) -> None:
        self.file = file
        self.catalogue = catalogue
        self.prices = prices
        self._live = live
        self._endpoint_reader = endpoint_reader
        self._lock = threading.Lock()
        self._running: dict[str, MockProcess] = {}

    @classmethod
    def load(
        cls,
        fleet_file: Path | None = None,
        prices_file: Path | None = None,
        *,
        live: bool,
        endpoint_reader: EndpointReader | None = None,
    ) -> Fleet:
        """With the built-in files, or the given ones in their place. Raises SpecError."""
        catalogue = Catalogue.built_in()
        prices = Prices.built_in(catalogue) if prices_file is None else Prices.load(prices_file)
        return cls(FleetFile.load(fleet_file), catalogue, prices, live, endpoint_reader)

    def open(self, subject: Subject, facts: ModelFacts) -> OpenEndpoint:
        """An endpoint for one test.

        Raises DoesNotFit if the model does not fit there, TargetError if the instance type is unknown or virtual time
        would need a real target, EngineError if a process could not be started.
        """
        stand_in, url = self._stand_in(subject)
        if stand_in.target is not None or url is not None:
            ref = stand_in.target or f"{url}/endpoints/{subject.endpoint_name}/invocations"
            target = TargetRef(ref, stand_in.options)
            if not self._live and not target.is_mock:
                raise TargetError(f"{ref} is real: it can only be tested in real time, not with the engine sim")
            return OpenEndpoint(target, instances=stand_in.instance_count)
        instance_type = stand_in.instance_type or subject.instance_type
        behaviour = self.behaviour(facts, instance_type, subject.serverless, subject.environment)
        # From the label, not the random endpoint name: the same job gives the same figures in virtual time.
        seed = crc32(f"{instance_type} {subject.serverless} {sorted(subject.environment.items())}".encode())
        # AWS names the only variant of an endpoint that it makes for a test as the endpoint itself.
        variant = "" if subject.existing else subject.endpoint_name
        settings = behaviour.settings(subject.endpoint_name, seed, stand_in.instance_count, variant)
        if not self._live:
            return OpenEndpoint(TargetRef(settings.to_ref()), behaviour, stand_in.instance_count)
        mock = self._start(subject.endpoint_name, settings)
        target = TargetRef(f"{mock.url}/endpoints/{subject.endpoint_name}/invocations")
        return OpenEndpoint(target, behaviour, stand_in.instance_count, lambda: self._end(subject.endpoint_name))

    def behaviour(
        self,
        facts: ModelFacts,
        instance_type: str | None,
        serverless: Serverless | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Behaviour:
        """How a model behaves on an instance type or a serverless endpoint. Raises DoesNotFit or TargetError."""
        work = self.file.work_of(facts)
        if serverless is not None:
            machine = self._serverless(serverless, work.memory_mb)
        else:
            machine = self._machine(instance_type or self.file.existing_endpoint_type)
        return behaviour_of(work, machine, environment or {}, self.file.environment)

    def variant_name(self, name: str) -> str:
        """Of an endpoint that exists already, as far as is known."""
        if self._endpoint_reader is None or name in self.file.endpoints:
            return EndpointFacts().variant_name
        try:
            facts = self._endpoint_reader(name)
        except LoadtestError:  # it cannot serve, which its test will say
            facts = None
        return (facts or EndpointFacts()).variant_name

    def url(self, name: str) -> str | None:
        """Base URL of the live mock endpoint of that name; None: none runs."""
        with self._lock:
            mock = self._running.get(name)
        return mock.url if mock is not None and mock.alive else None

    def close(self) -> None:
        """End every mock endpoint that still runs."""
        with self._lock:
            names = list(self._running)
        for name in names:
            self._end(name)

    def _stand_in(self, subject: Subject) -> tuple[StandIn, str | None]:
        """What the fleet file or the outside world put in the subject's place, and the URL that serves it."""
        if not subject.existing:
            return self.file.instances.get(subject.instance_type or "", StandIn()), None
        stand_in = self.file.endpoints.get(subject.endpoint_name)
        known = None
        if stand_in is None and self._endpoint_reader is not None:
            known = self._endpoint_reader(subject.endpoint_name)
        if stand_in is None:
            known = known or EndpointFacts()
            stand_in = StandIn(instance_type=known.instance_type, instance_count=known.instance_count)
        return stand_in, known.url if known is not None and self._live else None

    def _machine(self, instance_type: str) -> Machine:
        instance = self.catalogue.get(instance_type)
        if instance is None:
            raise TargetError(f"there is no instance type {instance_type!r}")
        accelerator = self.file.accelerators.get(instance.accelerator)
        return Machine(
            name=instance_type,
            vcpu=instance.vcpu,
            speed=self.file.speed_of(instance.family),
            memory_mb=instance.memory_gib * 1024,
            accelerators=instance.accelerator_count if accelerator is not None else 0,
            accelerator_speed=1.0 if accelerator is None else accelerator.speed,
            streams=1 if accelerator is None else accelerator.streams,
            queue=self.file.queue,
        )

    def _serverless(self, serverless: Serverless, model_mb: float) -> Machine:
        model = self.file.serverless
        return Machine(
            name=f"a serverless endpoint of {serverless.memory_mb} MB",
            vcpu=serverless.memory_mb / model.mb_per_vcpu,
            speed=model.speed,
            memory_mb=serverless.memory_mb,
            concurrency=serverless.max_concurrency,
            cold_start_ms=model.setup_ms + model.setup_ms_per_gb * model_mb / 1024,
        )

    def _start(self, name: str, settings: MockSettings) -> MockProcess:
        mock = MockProcess(settings)
        mock.start()
        with self._lock:
            self._running[name] = mock
        return mock

    def _end(self, name: str) -> None:
        with self._lock:
            mock = self._running.pop(name, None)
        if mock is not None:
            mock.stop()
