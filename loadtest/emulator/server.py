"""The emulator's web server (waitress), and everything put together behind it.

Sockets, threads and signals live here; what a request means is `loadtest.emulator.app`'s business. The process stays
unpatched: traffic runs in the engine's child processes.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from waitress.server import create_server
from waitress.task import ErrorTask

from loadtest.core.request.spec import Profile
from loadtest.emulator import model, protocol
from loadtest.emulator.app import Application
from loadtest.emulator.catalogue import ModelCatalogue
from loadtest.emulator.clients import InProcessClients
from loadtest.emulator.cloudwatch import CloudWatch
from loadtest.emulator.endpoints import Endpoints
from loadtest.emulator.fallback import Fallback, Moto, NoBackend, Upstream, moto_is_installed
from loadtest.emulator.forward import Forwarder
from loadtest.emulator.guard import Guard
from loadtest.emulator.instant import instant_recommendations
from loadtest.emulator.lanes import CHANNEL_TIMEOUT_S, Lanes, SlowChannel, watch
from loadtest.emulator.made import made_endpoints
from loadtest.emulator.moto_cloudwatch import teach_moto
from loadtest.emulator.one_region import OneRegion
from loadtest.emulator.ui import Ui
from loadtest.emulator.weights import Weights
from loadtest.jobs.arn import JobArns
from loadtest.jobs.service import JobService, open_service
from loadtest.jobs.watching import Onlooker
from loadtest.serving import end_serving, listening
from loadtest.wire.access import Access

__all__ = ["EmulatorOptions", "EmulatorServer"]

_log = logging.getLogger(__name__)

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what a client on this machine calls them
_LAST_REQUESTS_S = 5
_HEADER_BYTES = 64 * 1024
_BODY_BYTES = 256 * 1024 * 1024  # of anything, such as model data put into moto's S3


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """How an emulator is set up; the defaults are those of `loadtest serve`.

    port: 0 takes a free one. state: directory of the jobs; None: they are in memory.
    engine: "live" sends real traffic, "sim" runs in virtual time. upstream: URL of who answers what is not emulated;
    None: moto in this process if it is installed. fleet_file, prices_file: replace the built-in ones.
    quota: jobs that may be active at once; None: any number. allow_origins, allow_hosts: see `wire.access.Access`.
    allow_local_payloads: SamplePayloadUrls may name this machine.
    strict_resources: models, packages and sample payloads that do not exist are refused, or fail the job.
    connections: that may be open at once; those whose request is not whole yet make room for others.
    """

    host: str = "127.0.0.1"
    port: int = 4599
    engine: Literal["live", "sim"] = "live"
    profile: Profile = "aws"
    state: Path | None = None
    upstream: str | None = None
    fleet_file: Path | None = None
    prices_file: Path | None = None
    quota: int | None = None
    region: str = "us-east-1"
    account: str = "123456789012"
    allow_origins: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    allow_local_payloads: bool = False
    strict_resources: bool = False
    connections: int = 1000


class EmulatorServer:
    """A listening emulator. Made ready by the constructor; `run` or `start` serves, `close` ends everything in order.

    service: the jobs. endpoints: those that answer here. fallback: who answers the rest. cloudwatch: where the jobs'
    logs and metrics go; None: nowhere.
    Raises EngineError if the address cannot be had, SpecError for a wrong fleet or price file.
    """

    def __init__(self, options: EmulatorOptions) -> None:
        self.options = options
        self._closing = ExitStack()
        self.cloudwatch: CloudWatch | None = None
        self._thread: threading.Thread | None = None
        try:
            self._open(options)
        except BaseException:
            self._closing.close()
            raise

    @property
    def url(self) -> str:
        """The one address of everything: `http://127.0.0.1:4599`."""
        host = _EVERY_ADDRESS.get(self._host, self._host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def exports(self) -> Mapping[str, str]:
        """Environment variables that lead AWS's clients here."""
        names = ["AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"]
        if self.fallback.answers:
            names.append("AWS_ENDPOINT_URL")
        return dict.fromkeys(names, self.url)

    def run(self) -> None:
        """Serve until `close` is called from another thread or from a signal handler."""
        self._server.run()

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="loadtest-emulator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, let those that run end, stop the jobs, give everything back. May be called twice."""
        self._closing.close()

    def forget_fallback(self) -> None:
        """Empty moto, which keeps its state per process; nothing to do for any other fallback."""
        if isinstance(self.fallback, Moto):
            self.fallback.reset()

    def _open(self, options: EmulatorOptions) -> None:
        closing = self._closing
        sock = listening(options.host, options.port)
        closing.callback(sock.close)
        self._host, self._port = sock.getsockname()[:2]
        forward = Forwarder()
        closing.callback(forward.close)
        self.fallback = fallback = _fallback(options, forward)
        clients = InProcessClients(fallback, region=options.region)
        events = self.cloudwatch = self._events(clients)
        endpoints = self.endpoints = Endpoints(clients if fallback.answers else None)
        closing.callback(endpoints.close)
        pages = Ui()
        closing.callback(pages.close)
        self.service = service = _service(options, clients if fallback.answers else None, events, endpoints, pages)
        pages.read_from(service)
        endpoints.follow(service.fleet, self.url)
        closing.callback(service.close)
        weights = Weights(clients)
        application = Application(
            service,
            fallback,
            endpoints,
            forward,
            capacity_bounds=options.profile == "aws",
            account=options.account,
            events=events,
            additions={
                **instant_recommendations(service.fleet, ModelCatalogue(clients).model),
                "DescribeEndpoint": weights.of_endpoint,
                "DescribeEndpointConfig": weights.of_configuration,
            },
            made=made_endpoints(service.fleet, JobArns(options.region, options.account)),
            pages=pages,
        )
        for name in (*model.JOB_OPERATIONS, *model.TAG_OPERATIONS):
            model.operation(name)  # loads the service model now, not within the first request
        access = Access(options.host, options.allow_origins, options.allow_hosts)
        self._server: Any = create_server(
            Guard(OneRegion(application, options.region), access),
            sockets=[sock],
            _dispatcher=Lanes(),
            connection_limit=options.connections,
            channel_timeout=CHANNEL_TIMEOUT_S,
            cleanup_interval=5,
            asyncore_use_poll=True,  # select ends at descriptor 1,024
            max_request_header_size=_HEADER_BYTES,
            max_request_body_size=_BODY_BYTES,
            ident="loadtest",
            clear_untrusted_proxy_headers=True,
        )
        self._server.channel_class = _Channel
        watch(self._server)
        closing.callback(self._stop_serving)

    def _events(self, clients: InProcessClients) -> CloudWatch | None:
        """Where jobs put their logs and metrics; None if nobody could read them."""
        if not self.fallback.answers:
            _log.warning("no CloudWatch logs and metrics: install loadtest[emulator] or give --upstream")
            return None
        events = CloudWatch(clients, taught=isinstance(self.fallback, Moto))
        self._closing.callback(events.close)
        return events

    def _stop_serving(self) -> None:
        end_serving(self._server, self._thread, requests_s=_LAST_REQUESTS_S, loop_s=_LAST_REQUESTS_S)


def _fallback(options: EmulatorOptions, forward: Forwarder) -> Fallback:
    if options.upstream is not None:
        return Upstream(options.upstream, forward)
    if not moto_is_installed():
        return NoBackend()
    return Moto(options.account, when_loaded=teach_moto)


def _service(
    options: EmulatorOptions,
    clients: InProcessClients | None,
    events: CloudWatch | None,
    endpoints: Endpoints,
    watcher: Onlooker,
) -> JobService:
    catalogue = (
        ModelCatalogue(clients, allow_local_payloads=options.allow_local_payloads) if clients is not None else None
    )
    return open_service(
        state=options.state,
        engine=options.engine,
        profile=options.profile,
        region=options.region,
        account=options.account,
        fleet_file=options.fleet_file,
        prices_file=options.prices_file,
        quota=options.quota,
        payload_reader=catalogue.payload if catalogue else None,
        model_reader=catalogue.model if catalogue else None,
        directory=endpoints,
        strict_resources=options.strict_resources,
        events=events,
        watcher=watcher,
    )


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What waitress itself refuses (a malformed request line, a wrong Content-Length, too much of anything)."""

    def execute(self) -> None:
        error = self.request.error
        code = "RequestEntityTooLargeException" if error.code in (413, 431) else "SerializationException"
        answer = protocol.failure(code, f"{error.reason}: {error.body}", error.code, str(uuid.uuid4()))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class _Channel(SlowChannel):
    error_task_class = _ErrorTask
