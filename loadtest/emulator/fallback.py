"""Who answers what is not ours: moto in the same process, another server, or nobody. Each is a WSGI application."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from loadtest.emulator import protocol
from loadtest.emulator.dialect import UNKNOWN_OPERATION, operation_of, refuse
from loadtest.emulator.forward import Forwarder, Unreachable, target_url
from loadtest.emulator.outgoing import kept_in_process

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["MOTO_OLDEST", "Fallback", "Moto", "NoBackend", "Upstream", "moto_is_installed"]

_log = logging.getLogger(__name__)

MOTO_OLDEST = (5, 2, 5)
"""As in pyproject.toml: what the tests ran on. Compressed requests are answered with 500 before 5.2.4, and CloudWatch's
in the protocol of today's botocore before 5.1.12."""

_DEFAULT_ACCOUNT = "123456789012"
# What moto does before a service's own code; botocore's description of the service is read by core/model.py.
_BEFORE_SERVICES = ("moto_server/werkzeug_app.py", "core/responses.py", "core/model.py", "core/request/parse.py")


class Fallback(Protocol):
    """A WSGI application for the rest of AWS.

    name: for messages. answers: False if every request is refused, so that asking is pointless.
    """

    name: str
    answers: bool

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]: ...


def moto_is_installed() -> bool:
    """Is `moto[server]` here? Found without importing it; the log has a word about one that is too old."""
    if any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "flask_cors")):
        return False
    version = importlib.metadata.version("moto")
    if tuple(int(part) for part in re.findall(r"[0-9]+", version)[:3]) < MOTO_OLDEST:
        oldest = ".".join(map(str, MOTO_OLDEST))
        _log.warning("moto %s answers some requests with errors: pip install 'moto[server]>=%s'", version, oldest)
    return True


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
            return _lacking(environ, start_response)
        if self._account != _DEFAULT_ACCOUNT:
            environ.setdefault("HTTP_X_MOTO_ACCOUNT_ID", self._account)
        try:
            with kept_in_process():
                return _without_pages(application, environ, start_response)
        except NotImplementedError as problem:
            return _lacking(environ, start_response, str(problem))
        except Exception as problem:
            if type(problem) is RuntimeError:  # a dictionary that changed under it, say: asked again, it may answer
                raise
            if _is_unread(problem):
                return _lacking(environ, start_response, "the request does not say what it asks of which service")
            return _broken(environ, start_response, problem)

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

                def create(service: Any) -> Any:
                    if service is None:
                        raise NotImplementedError("moto does not have this service")
                    return create_backend_app(service)

                dispatcher: Any = DomainDispatcherApplication(create)
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
            return _without_pages(self._forwarded, environ, start_response)
        except Unreachable as problem:
            return refuse(environ, start_response, "ServiceUnavailable", f"The upstream server: {problem}", 503)

    def _forwarded(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._forward(target_url(self._url, environ), environ, start_response, keep_host=True)


class NoBackend:
    """Refuses everything in AWS's form."""

    name = "nobody"
    answers = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        text = "is not emulated; install loadtest[emulator] or give --upstream to have it answered"
        return refuse(environ, start_response, UNKNOWN_OPERATION, f"{str(operation_of(environ))!r} {text}")


class HeldAnswer:
    """What a WSGI application answers, held until it is known whether it is passed on. headers: as they came."""

    def __init__(self) -> None:
        self.line = "500 Error"
        self.headers: list[tuple[str, str]] = []

    @property
    def status(self) -> int:
        return int(self.line.split(" ", 1)[0])

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        """The `start_response` for the application."""
        self.line, self.headers = status, headers
        return _no_write

    def collect(self, body: Iterable[bytes]) -> bytes:
        """The whole body."""
        try:
            return b"".join(body)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()


def _no_write(data: bytes) -> object:
    raise NotImplementedError("WSGI's write() is for applications older than any here")


def _lacking(environ: WSGIEnvironment, start_response: StartResponse, reason: str = "") -> Iterable[bytes]:
    """Neither we nor moto have it: refused once, where 500 would have every client ask again."""
    text = f"{str(operation_of(environ))!r} is neither emulated here nor by moto" + (
        f": {reason[:500]}" if reason else ""
    )
    _log.warning("%s", text)
    return refuse(environ, start_response, UNKNOWN_OPERATION, text)


def _broken(environ: WSGIEnvironment, start_response: StartResponse, problem: Exception) -> Iterable[bytes]:
    """moto fails over a request in the same way each time, as over one without a member that AWS requires."""
    text = f"moto cannot answer {str(operation_of(environ))!r}: {type(problem).__name__}: {str(problem)[:500]}"
    _log.warning("%s", text, exc_info=problem)
    return refuse(environ, start_response, UNKNOWN_OPERATION, text)


def _is_unread(problem: Exception) -> bool:
    """moto failed over a request before one of its services had it: an odd signature, target or path."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(problem.__traceback__)]
    return next((file for file in reversed(files) if "/moto/" in file), "").endswith(_BEFORE_SERVICES)


def _without_pages(
    application: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """The application's answer; an error page of its web framework is told in AWS's form, which its client can read."""
    answer = HeldAnswer()
    body = application(environ, answer.start)
    if answer.status >= 400:
        text = answer.collect(body)
        body = [text]
        if text[:100].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            return _paraphrased(answer.status, environ, start_response)
    start_response(answer.line, answer.headers)
    return body


def _paraphrased(status: int, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return _lacking(environ, start_response)
    name = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"
    code = "InternalFailure" if status >= 500 else name.replace(" ", "")
    text = f"{str(operation_of(environ))!r} was answered by {status} {name} and a page of HTML"
    return refuse(environ, start_response, code, text, status)


def _moto_knows(operation: str) -> bool:
    from moto.sagemaker.responses import SageMakerResponse

    method = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", operation).lower()
    known: Any = getattr(SageMakerResponse, method, None)
    return callable(known) and operation.isalnum()
