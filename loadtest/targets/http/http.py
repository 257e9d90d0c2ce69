"""POST to an HTTP server: a model container as SageMaker runs it, or anything that answers POST requests.

One connection per user, opened by its first request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import TargetError
from loadtest.loopback import is_own
from loadtest.targets.base import Payload
from loadtest.targets.http.relay import FOREVER_NS
from loadtest.targets.http.route import Route, route_to
from loadtest.targets.http.system import SYSTEM, System
from loadtest.targets.http.user import ConnectionTarget, Shared, Streaming
from loadtest.targets.reference import check_target_ref
from loadtest.version import VERSION
from loadtest.wire.request import RequestTemplate

__all__ = ["HttpTarget"]


class HttpTarget(ConnectionTarget):
    """POST `url`. options: accept, ca_file, connect_timeout_s, read_timeout_s, stream, strict_http.

    The environment's proxies are used, except for loopback addresses. Raises SpecError for a URL or options that are
    wrong, TargetError if the CAs or the proxy cannot be used.
    """

    def __init__(self, url: str, options: Mapping[str, Any], *, system: System = SYSTEM) -> None:
        check_target_ref(TargetRef(url, options))
        ca_file = options.get("ca_file") or os.environ.get("AWS_CA_BUNDLE")
        route = route_to(url, options, ca_file, direct=is_own(urlsplit(url).hostname or ""), system=system)
        requests = _Requests(url, route, options.get("accept"))
        streaming: Streaming | None = "reads" if options.get("stream") else None
        super().__init__(Shared(route, requests, streaming, strict=bool(options.get("strict_http"))), url)


class _Requests:
    """Heads of the requests to one URL, one template per content type."""

    def __init__(self, url: str, route: Route, accept: str | None) -> None:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._target = f"http://{route.host_header}{path}" if route.absolute else path
        self._headers = [("Host", route.host_header), *route.proxy_headers, ("User-Agent", f"loadtest/{VERSION}")]
        self._headers.append(("Accept", accept or "*/*"))
        self._templates: dict[str, RequestTemplate] = {}

    def head(self, payload: Payload) -> bytes:
        template = self._templates.get(payload.content_type)
        if template is None:
            try:
                template = RequestTemplate(self._target, [*self._headers, ("Content-Type", payload.content_type)])
            except ValueError as problem:
                raise TargetError(f"{payload.name or 'payload'}: {problem}") from None
            self._templates[payload.content_type] = template
        return template.head(payload.body)

    def quick_head(self, payload: Payload) -> tuple[bytes, int, int]:
        return self.head(payload), 0, FOREVER_NS

    def renewed(self, head: bytes, payload: Payload) -> None:
        """Nothing is signed."""
