"""The emulator as one WSGI application: job operations, invocations of endpoints, and the rest of AWS next door.

    POST /  X-Amz-Target: SageMaker.<a job operation>     the JobService
    POST /  X-Amz-Target: SageMaker.AddTags and the like   the JobService if the ARN is a job's, else the fallback
    POST /endpoints/<name>/invocations[-response-stream]   the mock endpoint of that name
    GET  /health                                           this file
    everything else                                        the fallback (loadtest.emulator.fallback)

No request stops the server: what nobody foresaw is logged with its trace and answered as 500 InternalFailure.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from loadtest.emulator import protocol
from loadtest.emulator.dialect import error, operation_of, reply
from loadtest.emulator.endpoints import UnknownVariant
from loadtest.emulator.fallback import Fallback, HeldAnswer
from loadtest.emulator.forward import Forwarder, Unreachable
from loadtest.emulator.lanes import is_page
from loadtest.emulator.made import Description
from loadtest.emulator.model import JOB_OPERATIONS, TAG_OPERATIONS, output_shape
from loadtest.emulator.prune import pruned
from loadtest.emulator.stray import stray
from loadtest.errors import EngineError, LoadtestError, readable
from loadtest.jobs.errors import ApiError
from loadtest.jobs.store import StoreFailure
from loadtest.version import VERSION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Addition", "Application", "InvocationRoutes", "JobApi"]

_log = logging.getLogger(__name__)

JOB_BODY_BYTES = 1024 * 1024
INVOCATION_BODY_BYTES = 6_291_456  # BodyBlob of the sagemaker-runtime model
_INVOCATION = re.compile(r"/endpoints/([^/]+)/invocations(-response-stream)?")
_JOB_ARN = ":inference-recommendations-job/"
_READS_CLOUDWATCH = ("/logs/aws4_request", "/monitoring/aws4_request")
_CHANGES_ENDPOINT = frozenset({"DeleteEndpoint", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities"})


class JobApi(Protocol):
    """What is used of loadtest.jobs.service.JobService besides one method per operation."""

    def owns(self, arn: str) -> bool: ...


class InvocationRoutes(Protocol):
    """Which process answers an endpoint. forget: it may have changed.

    invocation_url: None: there is no such endpoint. variant: the only one that may answer; None: any. Raises
    UnknownVariant, LoadtestError if there is one that cannot serve.
    """

    def invocation_url(self, name: str, *, streamed: bool = False, variant: str | None = None) -> str | None: ...

    def forget(self, name: str) -> None: ...


Addition = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""An answer of SageMaker -> the same with what it lacks."""


class Settles(Protocol):
    """Something that writes behind; settle: wait until it can be read."""

    def settle(self) -> bool: ...


class Application:
    """The WSGI application. capacity_bounds: the profile is `aws`. events: what to wait for before logs are read.

    additions: by operation of SageMaker, what completes the fallback's answer. made: by operation, the answer about
    endpoints that the fallback does not know; pages: what is under /ui.
    """

    def __init__(
        self,
        service: JobApi,
        fallback: Fallback,
        endpoints: InvocationRoutes,
        forward: Forwarder,
        *,
        capacity_bounds: bool = True,
        account: str = "123456789012",
        events: Settles | None = None,
        additions: Mapping[str, Addition] | None = None,
        made: Mapping[str, Description] | None = None,
        pages: WSGIApplication | None = None,
    ) -> None:
        self._service = service
        self._fallback = fallback
        self._endpoints = endpoints
        self._forward = forward
        self._capacity_bounds = capacity_bounds
        self._account = account
        self._events = events
        self._additions = additions or {}
        self._made = made or {}
        self._pages = pages

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._route(environ, start_response)
        except Exception:
            request_id = str(uuid.uuid4())
            _log.exception("request %s failed", request_id)
            text = f"An unexpected error occurred; it is in the emulator's log under request {request_id}"
            return reply(error(operation_of(environ), "InternalFailure", text, 500, request_id), start_response)

    def _route(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        invocation = _INVOCATION.fullmatch(path) if method == "POST" else None
        if invocation is not None:
            name = invocation[1].encode("latin-1").decode("utf-8", "replace")
            return self._invoke(name, bool(invocation[2]), environ, start_response)
        refused = stray(environ)
        if refused is not None and refused.runtime:
            return _runtime_failure(refused.code, refused.text, refused.status, start_response)
        if refused is not None:
            answer = error(operation_of(environ), refused.code, refused.text, refused.status, str(uuid.uuid4()))
            return reply(answer, start_response)
        if path == "/health" and method in ("GET", "HEAD"):
            return _health(start_response)
        if self._pages is not None and is_page(path):
            return self._pages(environ, start_response)
        operation = protocol.operation_name(environ.get("HTTP_X_AMZ_TARGET", "")) if method == "POST" else None
        if operation is not None and (operation in JOB_OPERATIONS or operation in TAG_OPERATIONS):
            return self._control(operation, environ, start_response)
        if operation is not None and operation in self._made:
            found = self._made[operation](_request(environ))
            if found is not None:
                return reply(protocol.answer(found, str(uuid.uuid4())), start_response)
        return self._next_door(operation, environ, start_response)

    def _control(self, operation: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        request_id = str(uuid.uuid4())
        if length > JOB_BODY_BYTES:
            text = f"The request is longer than {JOB_BODY_BYTES} bytes"
            return reply(protocol.failure("RequestEntityTooLargeException", text, 413, request_id), start_response)
        body = environ["wsgi.input"].read(length)
        if operation in TAG_OPERATIONS and self._fallback.answers and not self._is_ours(body):
            environ["wsgi.input"] = io.BytesIO(body)
            return self._next_door(operation, environ, start_response)
        return reply(self._answer(operation, body, request_id), start_response)

    def _answer(self, operation: str, body: bytes, request_id: str) -> protocol.Reply:
        try:
            call = protocol.parse(operation, body, capacity_bounds=self._capacity_bounds)
            method = JOB_OPERATIONS.get(operation) or TAG_OPERATIONS[operation]
            return protocol.success(operation, getattr(self._service, method)(call.params), request_id)
        except protocol.WireError as refusal:
            return protocol.failure(refusal.code, refusal.message, refusal.status, request_id)
        except ApiError as refusal:
            return protocol.failure(refusal.code, refusal.message, refusal.http_status, request_id)
        except StoreFailure as problem:
            return protocol.failure("ServiceUnavailable", str(problem), 503, request_id)

    def _is_ours(self, body: bytes) -> bool:
        try:
            arn = json.loads(body).get("ResourceArn")
        except (ValueError, AttributeError, RecursionError):
            return False
        return isinstance(arn, str) and (_JOB_ARN in arn or self._service.owns(arn))

    def _invoke(
        self, name: str, streamed: bool, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if int(environ.get("CONTENT_LENGTH") or 0) > INVOCATION_BODY_BYTES:
            text = f"HTTP content length exceeded {INVOCATION_BODY_BYTES} bytes"
            return _runtime_failure("ValidationError", text, 413, start_response)
        try:
            variant = environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT")
            url = self._endpoints.invocation_url(name, streamed=streamed, variant=variant)
        except EngineError:
            raise
        except UnknownVariant as problem:
            text = f"{problem} of account {self._account} not found."
            return _runtime_failure("ValidationError", text, 400, start_response)
        except ApiError as refusal:
            return _runtime_failure(refusal.code, refusal.message, refusal.http_status, start_response)
        except LoadtestError as problem:
            return _runtime_failure("ModelError", f"The model cannot be loaded: {problem}", 424, start_response)
        if url is None:
            text = f"Endpoint {name} of account {self._account} not found."
            return _runtime_failure("ValidationError", text, 400, start_response)
        try:
            return self._forward(url, environ, start_response)
        except Unreachable as problem:
            # The endpoint of a test that has just ended, most likely: its port is closed.
            self._endpoints.forget(name)
            return _runtime_failure("ServiceUnavailable", str(problem), 503, start_response)

    def _next_door(
        self, operation: str | None, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if self._events is not None and any(
            scope in environ.get("HTTP_AUTHORIZATION", "") for scope in _READS_CLOUDWATCH
        ):
            self._events.settle()
        changed = _request(environ).get("EndpointName") if operation in _CHANGES_ENDPOINT else None
        if operation is None:
            answer = self._fallback(environ, start_response)
        else:
            answer = self._completed(operation, environ, start_response)
        if changed is not None:
            self._endpoints.forget(str(changed))
        return answer

    def _completed(self, operation: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The fallback's answer as SageMaker itself would write it; what is no such answer passes unchanged."""
        held = HeldAnswer()
        body = held.collect(self._fallback(environ, held.start))
        shape = output_shape(operation)
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(body)
            if isinstance(document, dict) and held.status >= 400:
                texts = {name: readable(text) for name, text in document.items() if isinstance(text, str)}
                body = json.dumps({**document, **texts}).encode("ascii")
            elif isinstance(document, dict) and held.status == 200 and shape is not None:
                document = pruned(document, shape)
                if operation in self._additions:
                    document = self._additions[operation](document)
                body = json.dumps(document).encode("ascii")
        headers = [(name, value) for name, value in held.headers if name.lower() != "content-length"]
        start_response(held.line, [*headers, ("Content-Length", str(len(body)))])
        return [body]


def _request(environ: WSGIEnvironment) -> Mapping[str, Any]:
    """The request's document, whose bytes can be read again afterwards; empty if it is none."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _health(start_response: StartResponse) -> list[bytes]:
    body = json.dumps({"status": "ok", "version": VERSION}).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _runtime_failure(code: str, text: str, status: int, start_response: StartResponse) -> list[bytes]:
    """An error of the runtime API: REST-JSON, whose clients look for the code in a header."""
    body: bytes = json.dumps({"message": readable(text)}).encode("utf-8")
    headers: list[Any] = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", code),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response(f"{status} Error", headers)
    return [body]
