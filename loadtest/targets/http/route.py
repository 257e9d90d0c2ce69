"""Where a target's connections go: host, TLS, proxy, limits. Decided once, when the target is opened."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from loadtest.errors import TargetError
from loadtest.targets.http.system import SYSTEM, System
from loadtest.targets.http.tls import client_context

__all__ = ["CONNECT_TIMEOUT_S", "READ_TIMEOUT_S", "Proxy", "Route", "route_to"]

CONNECT_TIMEOUT_S = 60.0  # botocore's default
READ_TIMEOUT_S = 70.0  # the API reference's advice: the service itself gives up after 60 s
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. authorization: the Proxy-Authorization header's value; None: it asks for none."""

    host: str
    port: int
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach a server. tls: None for plain HTTP. host_header: as the Host header and a signature name it. system:
    what its connections take from the operating system.
    """

    host: str
    port: int
    host_header: str
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    read_timeout_s: float = READ_TIMEOUT_S
    system: System = SYSTEM

    @property
    def absolute(self) -> bool:
        """Requests name the whole URL: plain HTTP through a proxy."""
        return self.proxy is not None and self.tls is None

    @property
    def proxy_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers that each request through `absolute` needs for the proxy alone."""
        if not self.absolute or self.proxy is None or self.proxy.authorization is None:
            return ()
        return (("Proxy-Authorization", self.proxy.authorization),)


def route_to(
    url: str, options: Mapping[str, Any], ca_file: str | None, *, direct: bool = False, system: System = SYSTEM
) -> Route:
    """The route to an http or https URL, by a proxy if the environment names one (and not `direct`).

    HTTP_PROXY, HTTPS_PROXY, NO_PROXY in any case, as botocore reads them. Raises TargetError if the CAs cannot be read
    or the proxy cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    return Route(
        host=host,
        port=port,
        host_header=name if port == _PORTS[parts.scheme] else f"{name}:{port}",
        tls=client_context(ca_file) if parts.scheme == "https" else None,
        proxy=None if direct else _proxy_for(parts.scheme, parts.netloc),
        connect_timeout_s=options.get("connect_timeout_s") or CONNECT_TIMEOUT_S,
        read_timeout_s=options.get("read_timeout_s") or READ_TIMEOUT_S,
        system=system,
    )


def _proxy_for(scheme: str, netloc: str) -> Proxy | None:
    try:
        if proxy_bypass(netloc):
            return None
    except (TypeError, OSError):
        pass  # macOS asks its system settings and resolves names for it
    url = getproxies().get(scheme)
    if not url:
        return None
    if "://" not in url:
        url = f"http:{url}" if url.startswith("//") else f"http://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may hold a piece of a password
        raise TargetError(f"the environment's {scheme} proxy is no URL") from None
    if not host:
        raise TargetError(f"the environment's {scheme} proxy names no host")
    if parts.scheme != "http":
        raise TargetError(
            f"the environment's {scheme} proxy at {host} is to be spoken to by {parts.scheme}, which is not supported: "
            "give an http:// proxy, or list the endpoint in NO_PROXY"
        )
    authorization = None
    if parts.username and parts.password:
        pair = f"{unquote(parts.username)}:{unquote(parts.password)}"
        authorization = f"Basic {b64encode(pair.encode()).decode()}"
    return Proxy(host, port or 80, authorization)
