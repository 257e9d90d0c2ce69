"""What the mock says to a request: the SageMaker runtime's routes, headers and errors. No socket, no timer.

    POST /endpoints/{name}/invocations                  InvokeEndpoint
    POST /endpoints/{name}/invocations-response-stream  InvokeEndpointWithResponseStream
    POST /invocations, GET /ping                        a model container's own interface
    GET  /loadtest/stats                                what the mock has seen (JSON)

Errors carry their code in x-amzn-ErrorType and their members as JSON. A container has no such errors: there a
ModelError is its original status 500, and a full queue is 429. Source: the service model of sagemaker-runtime, and the
developer guide's page on how containers serve requests.
"""

from __future__ import annotations

import itertools
import re
import time
import uuid
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from loadtest.endpoint.latency import Answer, MockSettings
from loadtest.mock.reply import LATENCY_HEADER, error_body, header_lines, quick_reply
from loadtest.mock.request import MAX_BODY_BYTES, Request, too_large
from loadtest.wire.access import Access
from loadtest.wire.eventstream import encode_event

__all__ = ["Invocation", "MockReply", "Runtime"]

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII)
_MAX_NAME = 63
_MAX_ATTRIBUTES = 1024
_MEDIA_TYPE = re.compile(r"[-\w.+]+/[-\w.+]+(;[ -~]*)?", re.ASCII)
_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_SESSION = b"x-amzn-sagemaker-session-id"
_SESSION_S = 3600
_VARIANT = b"x-amzn-sagemaker-target-variant"
_MAX_KNOWN = 256
_ALLOWED = {b"/ping": ("GET", "HEAD"), b"/loadtest/stats": ("GET", "HEAD"), b"/invocations": ("POST",)}


class MockReply(NamedTuple):
    """Status, headers without those of the framing, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Invocation(NamedTuple):
    """A valid request for the model. endpoint: None: asked as a container is. stream: the answer comes in parts.

    headers: of the answer, without those that differ from one to the next; lines: the same, and the body's length, as
    the lines of a head.
    """

    endpoint: str | None
    stream: bool
    headers: tuple[tuple[str, str], ...]
    body: bytes
    lines: bytes


class Runtime:
    """The routes for one set of settings. Raises nothing for anything a client can send."""

    def __init__(self, settings: MockSettings, access: Access = Access()) -> None:
        self._settings = settings
        self._access = access
        self._filler = b"0" * settings.response_bytes
        self._known: dict[object, Invocation] = {}
        self._ids = itertools.count()
        # One random prefix a server: a fresh UUID for each request would cost a system call.
        self._id_prefix = str(uuid.uuid4())[:24]

    def route(self, request: Request) -> Invocation | MockReply | None:
        """An invocation, or what to answer at once; None: the statistics are asked for."""
        # Users repeat themselves: what was found valid once need not be looked at again.
        key = (request.method, request.path, *request.headers.items())
        known = self._known.get(key)
        if known is not None and request.body_bytes <= MAX_BODY_BYTES:
            return known
        found = self._route(request)
        if isinstance(found, Invocation) and _SESSION not in request.headers:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = found
        return found

    def _route(self, request: Request) -> Invocation | MockReply | None:
        path = _origin_form(request.path)
        method = request.method.decode("latin-1")
        heard = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
        refused = self._access.refusal(heard, method=method, http11=False)
        if refused is not None:
            return self.error(refused.status, "AccessDeniedException", refused.text)
        if path.startswith(b"/endpoints/"):
            return self._endpoint(request, path.split(b"/")[2:], method)
        allowed = _ALLOWED.get(path)
        if allowed is None:
            return self.error(404, "UnknownOperationException", "There is no such operation.")
        if method not in allowed:
            return _not_allowed(", ".join(allowed))
        if path == b"/loadtest/stats":
            return None
        if path == b"/ping":
            return MockReply(200, (), b"")
        if request.body_bytes > MAX_BODY_BYTES:
            return self.too_large()
        content_type, body = self._answer_body(request.headers.get(b"accept", b""))
        return _invocation(None, False, (("Content-Type", content_type),), body)

    def quick_reply(self, invocation: Invocation, latency_us: int) -> bytes:
        """`reply` of a success as bytes, for an HTTP/1.1 connection that is kept."""
        return quick_reply(self._request_id(), invocation.lines, latency_us, invocation.body)

    def reply(self, invocation: Invocation, answer: Answer, latency_us: int) -> MockReply:
        """The answer that the model gave. latency_us: what to tell as the model's own time."""
        latency = (LATENCY_HEADER, str(latency_us))
        if answer.ok:
            return MockReply(200, (*self.answer_headers(invocation), latency), invocation.body)
        if answer.code == "ModelError":
            return self._model_error(invocation, answer, latency)
        if invocation.endpoint is None:
            return MockReply(429, (_JSON,), error_body("Rate exceeded"))
        return self.error(answer.status, answer.code, "Rate exceeded")

    def answer_headers(self, invocation: Invocation) -> tuple[tuple[str, str], ...]:
        """Headers of one successful answer; each call is a new request id."""
        return (("x-amzn-RequestId", self._request_id()), *invocation.headers)

    def parts(self, invocation: Invocation) -> list[bytes]:
        """A streamed answer as event-stream frames, one a PayloadPart; empty parts make up the number if need be."""
        count, body = self._settings.parts, invocation.body
        cuts = [len(body) * i // count for i in range(count + 1)]
        return [encode_event(_PART, body[a:b]) for a, b in itertools.pairwise(cuts)]

    def error(self, status: int, code: str, message: str, **members: object) -> MockReply:
        """An error of the runtime API. code: "" leaves the type out, as the service's front door does."""
        headers = [("x-amzn-RequestId", self._request_id()), _JSON]
        if code:
            headers.insert(1, ("x-amzn-ErrorType", code))
        return MockReply(status, tuple(headers), error_body(message, **members))

    def too_large(self) -> MockReply:
        """413 without a code: the limit is enforced before the API is reached, so clients see the code "413"."""
        refusal = too_large(MAX_BODY_BYTES)
        return self.error(refusal.status, "", refusal.message)

    def _endpoint(self, request: Request, rest: list[bytes], method: str) -> Invocation | MockReply:
        if len(rest) != 2 or rest[1] not in (b"invocations", b"invocations-response-stream"):
            return self.error(404, "UnknownOperationException", "There is no such operation.")
        if method != "POST":
            return _not_allowed("POST")
        if request.body_bytes > MAX_BODY_BYTES:
            return self.too_large()
        name = unquote_to_bytes(rest[0]).decode("latin-1")
        problem = _invalid(name, request.headers)
        if problem:
            return self.error(400, "ValidationError", problem)
        if self._settings.name and name != self._settings.name:
            return self.error(400, "ValidationError", f"Endpoint {name} of account {_ACCOUNT} not found.")
        variant = request.headers.get(_VARIANT)
        if variant is not None and self._settings.variant and variant.decode("latin-1") != self._settings.variant:
            missing = f"Variant {variant.decode('latin-1')} of endpoint {name} of account {_ACCOUNT} not found."
            return self.error(400, "ValidationError", missing)
        return self._invocation(request, name, stream=rest[1] != b"invocations")

    def _invocation(self, request: Request, name: str, *, stream: bool) -> Invocation:
        accept = b"x-amzn-sagemaker-accept" if stream else b"accept"
        content_type, body = self._answer_body(request.headers.get(accept, b""))
        variant = self._settings.variant or request.headers.get(_VARIANT, b"AllTraffic").decode("latin-1")
        headers = [("x-Amzn-Invoked-Production-Variant", variant)]
        if stream:
            headers.append(("X-Amzn-SageMaker-Content-Type", content_type))
            content_type = "application/vnd.amazon.eventstream"
        headers.append(("Content-Type", content_type))
        attributes = request.headers.get(b"x-amzn-sagemaker-custom-attributes")
        if attributes is not None:
            headers.append(("X-Amzn-SageMaker-Custom-Attributes", attributes.decode("latin-1")))
        if request.headers.get(_SESSION) == b"NEW_SESSION":
            headers.append(("X-Amzn-SageMaker-New-Session-Id", self._session()))
        return _invocation(name, stream, tuple(headers), body)

    def _model_error(self, invocation: Invocation, answer: Answer, latency: tuple[str, str]) -> MockReply:
        original = "the mock model failed on purpose"
        if invocation.endpoint is None:
            return MockReply(answer.original_status, (_JSON, latency), error_body(original))
        group = f"/aws/sagemaker/Endpoints/{invocation.endpoint}"
        found = self.error(
            answer.status,
            answer.code,
            f'Received server error ({answer.original_status}) from primary with message "{original}".',
            OriginalStatusCode=answer.original_status,
            OriginalMessage=original,
            LogStreamArn=f"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:{group}",
        )
        return found._replace(headers=(*found.headers, latency))

    def _answer_body(self, accept: bytes) -> tuple[str, bytes]:
        """(media type, body): the type that is asked for if it is one certain type, else JSON."""
        wanted = accept.decode("latin-1")
        content_type = wanted if _MEDIA_TYPE.fullmatch(wanted) else "application/json"
        if self._filler:
            return content_type, self._filler
        return content_type, b'{"predictions": [[0.5]]}' if "json" in content_type else b"0.5\n"

    def _request_id(self) -> str:
        return f"{self._id_prefix}{next(self._ids):012x}"

    def _session(self) -> str:
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _SESSION_S))
        return f"{uuid.uuid4()}; Expires={expires}"


_JSON = ("Content-Type", "application/json")
_PART = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}


def _invocation(endpoint: str | None, stream: bool, headers: tuple[tuple[str, str], ...], body: bytes) -> Invocation:
    lines = header_lines((*headers, ("Content-Length", str(len(body)))))
    return Invocation(endpoint, stream, headers, body, lines)


def _not_allowed(allow: str) -> MockReply:
    return MockReply(405, (("Allow", allow), _JSON), error_body(f"Only {allow} is allowed here."))


def _origin_form(path: bytes) -> bytes:
    """The path of a request target; clients of a proxy write the whole URL (RFC 9112, 3.2.2)."""
    if path.startswith((b"http://", b"https://")):
        return b"/" + path.split(b"/", 3)[3] if path.count(b"/") > 2 else b"/"
    return path


def _invalid(name: str, headers: dict[bytes, bytes]) -> str:
    """The first broken constraint as the service words it; "" if there is none."""
    broken = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must {}"
    variant = headers.get(_VARIANT)
    names = [("endpointName", name)]
    if variant is not None:
        names.append(("targetVariant", variant.decode("latin-1")))
    for member, value in names:
        if len(value) > _MAX_NAME:
            return broken.format(value, member, f"have length less than or equal to {_MAX_NAME}")
        if not _NAME.fullmatch(value):
            return broken.format(value, member, f"satisfy regular expression pattern: ^{_NAME.pattern}")
    attributes = headers.get(b"x-amzn-sagemaker-custom-attributes", b"")
    if len(attributes) > _MAX_ATTRIBUTES:
        shown = attributes[:20].decode("latin-1") + "..."
        return broken.format(shown, "customAttributes", f"have length less than or equal to {_MAX_ATTRIBUTES}")
    if not attributes.isascii():
        return broken.format("...", "customAttributes", r"satisfy regular expression pattern: \p{ASCII}*")
    return ""
