"""Where tested endpoints come from: mock endpoints that behave as the fleet file says, or the real targets it names.

Live, every mock endpoint is a process of its own that anyone may invoke while its test runs; in virtual time it is
only a `mock:` reference. What is opened is closed by whoever opened it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import TargetError
from loadtest.jobs.fleet_file import FleetFile, StandIn
from loadtest.jobs.fleet_model import Behaviour, Machine, behaviour_of
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.prices import Prices
from loadtest.jobs.provision import OpenEndpoint, Wanted
from loadtest.jobs.subject import EndpointDirectory, Subject, Variant
from loadtest.mock.process import MockProcess

__all__ = ["Fleet", "MadeEndpoint"]


@dataclass(frozen=True, slots=True)
class MadeEndpoint:
    """An endpoint that was made for a test. created_s: epoch seconds of the wall clock."""

    subject: Subject
    created_s: float


class Fleet:
    """Opens endpoints; a `Provider`. Thread-safe."""

    def __init__(
        self,
        file: FleetFile,
        catalogue: Catalogue,
        prices: Prices,
        live: bool,
        directory: EndpointDirectory | None = None,
    ) -> None:
        self.file = file
        self.catalogue = catalogue
        self.prices = prices
        self._live = live
        self._directory = directory
        self._lock = threading.Lock()
        self._running: dict[str, MockProcess] = {}
        self._made: dict[str, MadeEndpoint] = {}

    @classmethod
    def load(
        cls,
        fleet_file: Path | None = None,
        prices_file: Path | None = None,
        *,
        live: bool,
        directory: EndpointDirectory | None = None,
        region: str = "us-east-1",
    ) -> Fleet:
        """With the built-in files, or the given ones in their place. region: of the list prices. Raises SpecError."""
        catalogue = Catalogue.built_in()
        prices = Prices.known(catalogue, region) if prices_file is None else Prices.load(prices_file)
        file = FleetFile.load(fleet_file)
        own = {name: each.usd_per_hour for name, each in file.instances.items() if each.usd_per_hour is not None}
        prices = replace(prices, per_hour_usd={**prices.per_hour_usd, **own})
        return cls(file, catalogue, prices, live, directory)

    def existing(self, name: str) -> Subject | None:
        """The endpoint of that name: what the directory knows of it, under what the fleet file says; None: neither
        does. Raises as `EndpointDirectory` does.
        """
        found = None if self._directory is None else self._directory.subject(name)
        entry = self.file.endpoints.get(name)
        if entry is None:
            return found
        known = found or Subject(name, existing=True)
        variants = tuple(
            replace(
                variant,
                instance_type=entry.instance_type or variant.instance_type,
                serverless=None if entry.instance_type else variant.serverless,
                instance_count=entry.instance_count,
            )
            for variant in known.variants
        )
        return replace(known, variants=variants)

    def heeded(self, facts: ModelFacts) -> ModelFacts:
        """The facts with those environment variables only that the performance model heeds: no other needs to be kept,
        and there may be secrets among them."""
        names = self.file.environment.heeded

        def kept(environment: Mapping[str, str]) -> dict[str, str]:
            return {name: value for name, value in environment.items() if name in names}

        specifications = {name: kept(each) for name, each in facts.specifications.items()}
        return replace(facts, environment=kept(facts.environment), specifications=specifications)

    def provide(self, wanted: Wanted, /) -> OpenEndpoint:
        """As `open`: a fleet is the `Provider` that jobs have unless there is another."""
        return self.open(wanted.subject)

    def open(self, subject: Subject) -> OpenEndpoint:
        """An endpoint for one test.

        Raises DoesNotFit if the model does not fit there, TargetError if the instance type is unknown or virtual time
        would need a real target, EngineError if a process could not be started.
        """
        entry = self._entry(subject)
        if not subject.existing:
            subject = _on(subject, entry)
        if entry.target is not None:
            target = TargetRef(entry.target, entry.options)
            if not self._live and not target.is_mock:
                rule = "it can only be tested in real time, not with the engine sim"
                raise TargetError(f"{entry.target} is real: {rule}")
            return self._opened(OpenEndpoint(subject, target, instances=entry.instance_count, stand_in=True))
        behaviours = [self.behaviour_of(variant) for variant in subject.variants]
        behaviour = behaviours[0] if len(behaviours) == 1 else None
        notes = tuple(self._guesses(subject))
        return self._opened(OpenEndpoint(subject, self._mock(subject), behaviour, subject.instance_count, notes=notes))

    def settings(self, endpoint_name: str, variant: Variant) -> MockSettings:
        """The mock that behaves as the variant. Raises DoesNotFit or TargetError."""
        # Not from the endpoint's name, which is random: the same job gives the same figures in virtual time.
        hardware = f"{variant.instance_type} {variant.serverless} {sorted(variant.environment.items())}"
        behaviour = self.behaviour_of(variant)
        return behaviour.settings(endpoint_name, crc32(hardware.encode()), variant.instance_count, variant.name)

    def behaviour_of(self, variant: Variant) -> Behaviour:
        """How a production variant behaves, for each of its instances. Raises DoesNotFit or TargetError."""
        return self.behaviour(variant.facts, variant.instance_type, variant.serverless, variant.environment)

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

    def made(self, name: str) -> MadeEndpoint | None:
        """The endpoint that was made for a test of that name, while it runs; None: there is none."""
        with self._lock:
            return self._made.get(name)

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

    def _entry(self, subject: Subject) -> StandIn:
        """What the fleet file puts in the subject's place."""
        if subject.existing:
            return self.file.endpoints.get(subject.endpoint_name, StandIn())
        return self.file.instances.get(subject.variants[0].instance_type or "", StandIn())

    def _mock(self, subject: Subject) -> TargetRef:
        name = subject.endpoint_name
        if not self._live:
            return _virtual([(each.weight, self.settings(name, each)) for each in subject.variants])
        url = self._directory.url(name) if subject.existing and self._directory is not None else None
        if url is None:
            mock = MockProcess(self.settings(name, subject.variants[0]))
            mock.start()
            with self._lock:
                self._running[name] = mock
            url = mock.url
        return TargetRef(f"{url}/endpoints/{name}/invocations")

    def _opened(self, endpoint: OpenEndpoint) -> OpenEndpoint:
        name = endpoint.subject.endpoint_name
        if not endpoint.subject.existing:
            with self._lock:
                self._made[name] = MadeEndpoint(endpoint.subject, time.time())
        endpoint.on_close = lambda: self._end(name)
        return endpoint

    def _guesses(self, subject: Subject) -> Iterator[str]:
        """Where the performance model goes on without knowing what the endpoint runs on."""
        types = dict.fromkeys(each.instance_type for each in subject.variants if each.serverless is None)
        if None in types:
            yield f"what it runs on is not known: modelled as {self.file.existing_endpoint_type}, by the fleet file"
        for name in filter(None, types):
            if name not in self.catalogue.known:
                yield f"{name} is not in the table of instance types: vCPUs and memory by its name, no accelerator"

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
            gpus=instance.accelerator_count if instance.accelerator.startswith("NVIDIA") else 0,
            gpu_memory_mb=instance.accelerator_memory_gib * 1024,
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

    def _end(self, name: str) -> None:
        with self._lock:
            self._made.pop(name, None)
            mock = self._running.pop(name, None)
        if mock is not None:
            mock.stop()


def _on(subject: Subject, entry: StandIn) -> Subject:
    """On the instances that the fleet file names for the type."""
    (variant,) = subject.variants
    on = replace(
        variant,
        instance_type=entry.instance_type or variant.instance_type,
        instance_count=variant.instance_count * entry.instance_count,
    )
    return replace(subject, variants=(on,))


def _virtual(shares: list[tuple[float, MockSettings]]) -> TargetRef:
    """The reference of mocks that share the requests by their weights."""
    options: dict[str, Any] = {}
    if len(shares) > 1:
        options["variants"] = [[weight, settings.to_ref()] for weight, settings in shares]
    return TargetRef(shares[0][1].to_ref(), options)
