"""InvokeEndpoint and InvokeEndpointWithResponseStream at the speed of a C tool: our own signer, HTTP and sockets.

One connection per user, opened by its first request. Sends what boto3 would send to the place where boto3 would send
it, but does not send boto3's User-Agent and amz-sdk-* headers, which no signature covers. Nothing is sent twice but a
request whose credentials expired on the way, if there are newer ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from loadtest.core.measure.outcome import Kind
from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import TargetError
from loadtest.targets.base import Payload
from loadtest.targets.credentials import CredentialSource, NoCredentials
from loadtest.targets.failures import Failed
from loadtest.targets.http.route import Route, route_to
from loadtest.targets.http.system import SYSTEM, System
from loadtest.targets.http.user import ConnectionTarget, Shared, Streaming
from loadtest.targets.reference import check_target_ref
from loadtest.targets.resolve import Endpoint, resolve_endpoint
from loadtest.version import VERSION
from loadtest.wire.sigv4 import SignedTemplate

__all__ = ["SageMakerTarget"]

_HEADS = 10_000  # signed heads kept for a second: 6 MB


class SageMakerTarget(ConnectionTarget):
    """An endpoint of SageMaker, or of what looks like it.

    options: region, profile, endpoint_url, use_fips, use_dualstack, ca_file, connect_timeout_s (60), read_timeout_s
        (70: for the whole answer, or for the next part of a streamed one), stream, strict_http, and those in
        endpoint.PARAMETERS.
    credentials: instead of botocore's chain. system: what the connections take from the operating system.

    Raises SpecError for a name or options that are wrong, TargetError if there is no region, no credentials, no usable
    proxy or no readable CA file.
    """

    def __init__(
        self,
        endpoint_name: str,
        options: Mapping[str, Any],
        credentials: CredentialSource | None = None,
        *,
        system: System = SYSTEM,
    ) -> None:
        check_target_ref(TargetRef(f"sagemaker:{endpoint_name}", options))
        endpoint = resolve_endpoint(endpoint_name, options, credentials)
        route = route_to(endpoint.url, options, options.get("ca_file") or endpoint.ca_file, system=system)
        streaming: Streaming | None = "events" if options.get("stream") else None
        shared = Shared(route, _Requests(endpoint, route), streaming, strict=bool(options.get("strict_http")))
        super().__init__(shared, endpoint.url, target_region=endpoint.region)


class _Requests:
    """Signed heads: one template per content type, made anew when the credentials change."""

    def __init__(self, endpoint: Endpoint, route: Route) -> None:
        self._endpoint = endpoint
        self._route = route
        self._credentials = endpoint.credentials.current
        self._time_ns = route.system.time_ns
        self._checked_s = 0
        self._templates: dict[str, SignedTemplate] = {}
        self._heads: dict[int, tuple[Payload, bytes]] = {}

    def head(self, payload: Payload) -> bytes:
        now_s = self._time_ns() // 1_000_000_000
        if now_s != self._checked_s:
            self._check_credentials(now_s)
            self._heads.clear()
        return self._signed(payload, now_s)

    def quick_head(self, payload: Payload) -> tuple[bytes, int, int] | None:
        now_s = self._time_ns() // 1_000_000_000
        if now_s != self._checked_s:
            return None  # the credentials are to be looked at, and may have to be fetched
        return self._signed(payload, now_s), now_s * 1_000_000_000, (now_s + 1) * 1_000_000_000

    def renewed(self, head: bytes, payload: Payload) -> bytes | None:
        try:
            newer = self.head(payload)
        except Failed:
            return None
        return newer if _access_key(newer) != _access_key(head) else None

    def _signed(self, payload: Payload, now_s: int) -> bytes:
        # X-Amz-Date counts seconds: within one, the same payload has the same signature, and a test sends few payloads.
        known = self._heads.get(id(payload))
        if known is not None and known[0] is payload:
            return known[1]
        template = self._templates.get(payload.content_type) or self._template(payload)
        head = template.head(payload.body, now_s)
        if len(self._heads) < _HEADS:
            self._heads[id(payload)] = payload, head  # the entry holds the payload, so its id stays its own
        return head

    def _check_credentials(self, now_s: int) -> None:
        try:
            found = self._endpoint.credentials.check(now_s)
        except NoCredentials:
            raise Failed(Kind.CREDENTIALS, "expired") from None
        if found is not self._credentials:
            self._credentials = found
            self._templates.clear()
        self._checked_s = now_s

    def _template(self, payload: Payload) -> SignedTemplate:
        endpoint, route = self._endpoint, self._route
        parts = urlsplit(endpoint.url)
        query = f"?{parts.query}" if parts.query else ""
        try:
            template = SignedTemplate(
                self._credentials,
                region=endpoint.region,
                service=endpoint.service,
                host=route.host_header,
                path=parts.path or "/",
                query=parts.query,
                headers=[
                    ("Content-Type", payload.content_type),
                    *endpoint.headers,
                    ("User-Agent", f"loadtest/{VERSION}"),
                ],
                target=f"http://{route.host_header}{parts.path}{query}" if route.absolute else None,
                proxy_headers=route.proxy_headers,
            )
        except ValueError as problem:
            raise TargetError(f"{payload.name or 'payload'}: {problem}") from None
        self._templates[payload.content_type] = template
        return template


def _access_key(head: bytes) -> bytes:
    """Whose signature a head has."""
    return head.partition(b"Credential=")[2].partition(b"/")[0]
