"""Who may speak to a server on this machine: programs may, a web page that the developer happens to visit may not.

A browser lets any page send requests to loopback, and a name of the page's own may be made to point there (DNS
rebinding). Browsers say where a request comes from (Origin, Sec-Fetch-Site, Referer) and whom it is for (Host); no
AWS client sends the former, and all of them send the address that they were given as the latter. Pure, no sockets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loadtest.errors import Problem
from loadtest.loopback import address_of, is_own

__all__ = ["Access", "Refusal", "environ_headers", "mistakes", "split_host"]

# As browsers write it, so that it can be compared; of another form it would let nobody in.
_ORIGIN = re.compile(r"\*|null|[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@]+", re.ASCII)

_UNSPECIFIED = ("0.0.0.0", "::")
_FOREIGN_SITES = ("cross-site", "same-site")
_PREFLIGHT_AGE_S = 600


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered. status: of HTTP, a 4xx; text: what would let it in."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server.

    bound: the address or name that it listens on. origins: pages that may use it (`http://localhost:3000`); `*`: any.
    hosts: names besides loopback's and `bound` that it goes by, each with the names below it; `*`: any.
    """

    bound: str = "127.0.0.1"
    origins: Collection[str] = ()
    hosts: Collection[str] = ()

    def refusal(self, headers: Mapping[str, str], *, method: str = "GET", http11: bool = True) -> Refusal | None:
        """None: the request may be served. headers: by names in lower case; equal ones joined by commas."""
        host = headers.get("host", "").strip()
        if not host and http11:
            return Refusal(400, "The request has no Host header")
        if "," in host:
            return Refusal(400, "The request has more than one Host header")
        if host and not self.knows(host):
            return Refusal(
                403, f"This server is not {host[:200]!r}; start it with --allow-host {_name(host)} if it is to be"
            )
        foreign = self._foreign_origin(headers, host)
        if foreign is not None:
            return Refusal(
                403,
                f"Web pages of {foreign[:200]!r} may not use this server; --allow-origin ORIGIN would let them",
            )
        if method == "OPTIONS" and self.allowed_origin(headers) is None:
            return Refusal(403, "Web pages of other origins may not use this server, so there is nothing to ask about")
        return None

    def knows(self, host: str) -> bool:
        """Is a Host header's value (with or without a port) a name of this server?"""
        name = split_host(host)
        if name is None:
            return False
        if is_own(name) or "*" in self.hosts or name == _normal(self.bound):
            return True
        if any(name == allowed or name.endswith(f".{allowed}") for allowed in map(_normal, self.hosts)):
            return True
        # A page cannot make a number point elsewhere; a server on every address goes by any of the machine's numbers.
        return self.bound in _UNSPECIFIED and address_of(name) is not None

    def allowed_origin(self, headers: Mapping[str, str]) -> str | None:
        """The origin to name in Access-Control-Allow-Origin; None: no page of another origin was let in."""
        origin = headers.get("origin")
        if origin is None or not ("*" in self.origins or origin.lower() in {one.lower() for one in self.origins}):
            return None
        return origin

    def cors(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Headers that let an allowed page read the answer, and for OPTIONS send the request; [] for anybody else."""
        origin = self.allowed_origin(headers)
        if origin is None:
            return []
        found = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin"), ("Access-Control-Expose-Headers", "*")]
        if "access-control-request-method" in headers:
            found.append(("Access-Control-Allow-Methods", headers["access-control-request-method"]))
            found.append(("Access-Control-Allow-Headers", headers.get("access-control-request-headers", "*")))
            found.append(("Access-Control-Max-Age", str(_PREFLIGHT_AGE_S)))
        return found

    def _foreign_origin(self, headers: Mapping[str, str], host: str) -> str | None:
        """The origin that has no business here; None: the caller is no page, or one of ours, or an allowed one."""
        if self.allowed_origin(headers) is not None:
            return None
        origin = headers.get("origin")
        if origin is not None:
            return None if _same(origin, host) else origin
        referer = headers.get("referer")
        if "*" in self.origins or (referer and _origin(referer) in {one.lower() for one in self.origins}):
            return None
        # Images, scripts, forms by GET and links carry no Origin.
        if headers.get("sec-fetch-site", "").lower() in _FOREIGN_SITES:
            return _origin(referer) if referer else "another origin"
        return _origin(referer) if referer and not _same(referer, host) else None


def mistakes(origins: Collection[str], hosts: Collection[str]) -> Iterator[Problem]:
    """What `--allow-origin` and `--allow-host` name that is no origin and no name, and would let nobody in."""
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            advice = "write scheme, host and port as a browser does, http://localhost:3000"
            yield Problem("--allow-origin", repr(origin), "is no origin", advice)
    for host in hosts:
        if host != "*" and address_of(host) is None and split_host(host) != _normal(host):
            advice = "write it without scheme and port, aws.test"
            yield Problem("--allow-host", repr(host), "is no name of a host", advice)


def environ_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a WSGI request, by their names in lower case."""
    named = ((name[5:], value) for name, value in environ.items() if name.startswith("HTTP_"))
    found = {name.replace("_", "-").lower(): str(value) for name, value in named}
    if environ.get("CONTENT_TYPE"):
        found["content-type"] = environ["CONTENT_TYPE"]
    return found


def split_host(host: str) -> str | None:
    """The name or address of a Host header's value, without port and brackets; None if it is none."""
    if any(mark in host for mark in "@/\\?# \t"):
        return None
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return _normal(name) if name else None


def _normal(name: str) -> str:
    return name.strip().strip("[]").lower().rstrip(".")


def _name(host: str) -> str:
    return (split_host(host) or "NAME")[:200]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _same(url: str, host: str) -> bool:
    try:
        return bool(host) and urlsplit(url).netloc.lower() == host.lower()
    except ValueError:
        return False
