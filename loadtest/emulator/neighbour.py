"""Who answers what is not ours: moto in the same process, another server, or nobody. Each is a WSGI application."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from loadtest.emulator import protocol
from loadtest.emulator.forward import Forwarder, Unreachable, target_url
from loadtest.emulator.outgoing import kept_inside

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Moto", "Neighbour", "Nobody", "Upstream", "moto_is_installed", "reply"]

_DEFAULT_ACCOUNT = "123456789012"


class Neighbour(Protocol):
    """A WSGI application for the rest of AWS.

    name: for messages. answers: False if every request is refused, so that asking is pointless.
    """

    name: str
    answers: bool

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]: ...


def moto_is_installed() -> bool:
    """Is `moto[server]` here? Found without importing it."""
    return all(importlib.util.find_spec(name) is not None for name in ("moto", "flask", "flask_cors"))


def reply(answer: protocol.Reply, start_response: StartResponse) -> list[bytes]:
    """Send a Reply as a WSGI response."""
    start_response(f"{answer.status} {'OK' if answer.status < 400 else 'Error'}", list(answer.headers))
    return [answer.body]


class Moto:
    """moto's own server application, without its web server. Imported at the first request, which takes a second.

    account: the account that requests without one of their own belong to (moto's header X-Moto-Account-Id).
    when_loaded: called once moto is imported, before it answers.
    """

    name = "moto"
    answers = True

    def __init__(self, account: str = _DEFAULT_ACCOUNT, when_loaded: Callable[[], None] | None = None) -> None:
        self._account = account
        self._when_loaded = when_loaded
        self._lock = threading.Lock()
        self._application: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        operation = protocol.operation_name(environ.get("HTTP_X_AMZ_TARGET", ""))
        application = self._application or self._load()
        if operation is not None and not _moto_knows(operation):
            # moto would answer 500 in HTML, which every client retries.
            return _unknown(f"SageMaker.{operation} is neither emulated here nor by moto", start_response)
        if self._account != _DEFAULT_ACCOUNT:
            environ.setdefault("HTTP_X_MOTO_ACCOUNT_ID", self._account)
        with kept_inside():
            return application(environ, start_response)

    def reset(self) -> None:
        """Empty moto, for every user of it in this process; nothing to do if nobody has loaded it."""
        if "moto.core" in sys.modules:
            from werkzeug.test import Client

            Client(self._application or self._load()).post("/moto-api/reset")

    def _load(self) -> WSGIApplication:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        with self._lock:
            if self._application is None:
                if self._when_loaded is not None:
                    self._when_loaded()
                dispatcher: Any = DomainDispatcherApplication(create_backend_app)
                # moto 5.2 tries some two hundred patterns for each request, though the host alone decides.
                dispatcher.get_backend_for_host = lru_cache(maxsize=1024)(dispatcher.get_backend_for_host)
                self._application = dispatcher
            return self._application


class Upstream:
    """Another moto server or AWS-shaped server, by its URL."""

    name = "upstream"
    answers = True

    def __init__(self, url: str, forward: Forwarder) -> None:
        self._url = url
        self._forward = forward

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._forward(target_url(self._url, environ), environ, start_response, keep_host=True)
        except Unreachable as problem:
            refusal = protocol.failure("ServiceUnavailable", f"The upstream server: {problem}", 503, str(uuid.uuid4()))
            return reply(refusal, start_response)


class Nobody:
    """Refuses everything in AWS's form."""

    name = "nobody"
    answers = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
        return _unknown(
            f"{target[:200]!r} is not emulated; install loadtest[emulator] or give --upstream to have it answered",
            start_response,
        )


def _unknown(text: str, start_response: StartResponse) -> list[bytes]:
    return reply(protocol.failure("UnknownOperationException", text, 400, str(uuid.uuid4())), start_response)


def _moto_knows(operation: str) -> bool:
    from moto.sagemaker.responses import SageMakerResponse

    method = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", operation).lower()
    known: Any = getattr(SageMakerResponse, method, None)
    return callable(known) and operation.isalnum()
