"""The emulator's door: `loadtest.wire.access` as WSGI middleware, before anything else of a request is looked at.

What is behind has no say in it: the CORS headers that moto sets on its own are taken out of every answer.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loadtest.emulator import protocol
from loadtest.wire.access import Access, environ_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Guard"]

_JSON_TYPE = re.compile(r"application/x-amz-json-1\.[01]\s*(;.*)?", re.IGNORECASE)


class Guard:
    """`application` for those whom `access` lets in; for anybody else a 4xx, which clients do not retry."""

    def __init__(self, application: WSGIApplication, access: Access) -> None:
        self._application = application
        self._access = access

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = environ_headers(environ)
        method = environ["REQUEST_METHOD"]
        http11 = environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        refused = self._access.refusal(headers, method=method, http11=http11)
        if refused is not None:
            return _refuse(refused.status, refused.text, start_response)
        named = _authority(environ)
        if named is not None and not self._access.knows(named):
            return _refuse(403, f"This server is not {named[:200]!r}", start_response)
        cors = self._access.cors(headers)
        if method == "OPTIONS":
            start_response("204 No Content", cors)
            return []
        if "x-amz-target" in headers and not _JSON_TYPE.fullmatch(headers.get("content-type", "").strip()):
            # A form of a web page can send any body, but not this type.
            sent_as = headers.get("content-type", "")[:200]
            text = f"An operation of X-Amz-Target is sent as application/x-amz-json-1.1, not {sent_as!r}"
            return _refuse(415, text, start_response)

        def start(status: str, sent: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            kept = [(name, value) for name, value in sent if not name.lower().startswith("access-control-")]
            return start_response(status, [*kept, *cors], exc_info)

        return self._application(environ, start)


def _authority(environ: WSGIEnvironment) -> str | None:
    """Whom an absolute request target names (`GET http://name/ HTTP/1.1`), which goes before the Host header."""
    target = str(environ.get("REQUEST_URI", ""))
    if target.startswith("/") or "://" not in target:
        return None
    try:
        return str(urlsplit(target).netloc)
    except ValueError:
        return target


def _refuse(status: int, text: str, start_response: StartResponse) -> list[bytes]:
    code = {400: "SerializationException", 415: "SerializationException"}.get(status, "AccessDeniedException")
    answer = protocol.failure(code, text, status, str(uuid.uuid4()))
    start_response(f"{status} Refused", list(answer.headers))
    return [answer.body]
