"""Any provider of a job's endpoints, of whose tests CloudWatch is asked: meanwhile, and when the endpoint is gone.

Metrics outlive an endpoint, so that nothing that costs money is kept for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loadtest.aws.clients import Clients
from loadtest.aws.endpoint import inspect_endpoint
from loadtest.aws.metrics import Place, place_of
from loadtest.aws.telemetry import WAIT_S, Telemetry
from loadtest.core.result.result import RunResult
from loadtest.errors import LoadtestError
from loadtest.jobs.provision import OpenEndpoint, Provider, Wanted

__all__ = ["Telling"]


class Telling:
    """A Provider (loadtest.jobs.provision). Thread-safe. wait_s: how long the last points of a test are waited for.

    Targets that are no endpoints of SageMaker are left as they are.
    """

    def __init__(self, provider: Provider, *, wait_s: float | None = None) -> None:
        self._provider = provider
        self._wait_s = WAIT_S if wait_s is None else wait_s

    @contextmanager
    def provide(self, wanted: Wanted, /) -> Iterator[OpenEndpoint]:
        """The endpoint of the provider within."""
        with self._provider.provide(wanted) as endpoint:
            told = self._telemetry(wanted, endpoint)
            if told is None:
                yield endpoint
                return

            def afterwards(result: RunResult) -> RunResult:
                with wanted.signal.heard_by(told.hurry, told.hurry):
                    return told.completed(result)

            endpoint.afterwards = afterwards
            with told:
                yield endpoint

    def _telemetry(self, wanted: Wanted, endpoint: OpenEndpoint) -> Telemetry | None:
        if endpoint.target.scheme not in ("sagemaker", "boto3"):
            return None
        limit = wanted.spec.stop.latency
        limits_ms = () if limit is None else (float(limit.limit_ms),)
        try:
            clients = Clients(endpoint.target.options)
            place = _place(clients, wanted, endpoint.target.rest, endpoint.target.options, limits_ms)
        except LoadtestError as problem:
            wanted.say(f"CloudWatch is not asked: {problem}")
            return None
        if place is None:
            wanted.say("CloudWatch is not asked: the endpoint's variants are not known")
            return None
        return Telemetry(clients, place, say=wanted.say, keep=wanted.keep, wait_s=self._wait_s)


def _place(
    clients: Clients, wanted: Wanted, name: str, options: Mapping[str, Any], limits_ms: tuple[float, ...]
) -> Place | None:
    if wanted.test.configuration is not None and name == wanted.subject.endpoint_name:
        return Place(name, (wanted.subject.variant_name,), limits_ms=limits_ms)  # made for this test, with the defaults
    return place_of(inspect_endpoint(clients, name), options, limits_ms)
