"""AWS Signature Version 4 for one request shape, at a few microseconds a request.

Only the body and the clock change between two invocations of an endpoint. The signing key is kept for a day; the
hash states of everything before the body's hash (canonical request) and of the string to sign are kept for a second.
Byte-equal to `botocore.auth.SigV4Auth`. No clock, no I/O: the time is an argument, in whole seconds since 1970.
Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from typing import Any
from urllib.parse import quote

from loadtest.wire.request import encode_headers

__all__ = ["Credentials", "SignedTemplate", "signing_key"]

# What botocore leaves out of the signature, since proxies may change it.
_UNSIGNED = frozenset({"expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
_ALGORITHM = "AWS4-HMAC-SHA256"
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

# Bodies come from a fixed set, and hashing 6 MB takes milliseconds; hashing a small one costs less than finding it.
_REMEMBERED_FROM_BYTES = 2048
REMEMBERED_BYTES = 128 * 1024 * 1024


def _light_sha256() -> Any:
    """The interpreter's own SHA-256, hashlib's fallback: slower per byte than OpenSSL's, but without its contexts.

    Three short hashes are copied for each request, and there OpenSSL's allocations cost 5 us of 50 on a busy machine.
    """
    for name in ("_sha2", "_sha256"):  # from Python 3.12 on, and before
        try:
            return import_module(name).sha256
        except (ImportError, AttributeError):
            continue
    return sha256


_light = _light_sha256()
_LIGHT_BYTES = 256


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with. token: of temporary credentials; None: they are permanent."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The key of one day (`20260131`), region and service: 32 bytes."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class SignedTemplate:
    """POST requests that differ only in body and time, signed.

    path: as it goes on the wire, percent-encoded. query: the same, without `?`. host: the Host header's value.
    headers: all others that are sent, names unique in any case, without Host, X-Amz-Date, X-Amz-Security-Token,
        Authorization and Content-Length, which are added here.
    target: the request target if it is not path and query (the absolute form that a proxy wants).
    proxy_headers: sent besides, but not signed: the proxy takes them off.
    remember_bytes: of bodies whose hashes are kept.

    Raises ValueError on a header that cannot be sent.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        region: str,
        service: str,
        host: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        query: str = "",
        target: str | None = None,
        proxy_headers: Sequence[tuple[str, str]] = (),
        remember_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        self._credentials = credentials
        self._scope = (region, service)
        fixed = [("Host", host), *headers]
        if credentials.token is not None:
            fixed.append(("X-Amz-Security-Token", credentials.token))
        line = target or (f"{path}?{query}" if query else path)
        self._start = encode_headers([*fixed, *proxy_headers], f"POST {line} HTTP/1.1")
        self._signed = {name.lower(): " ".join(value.split()) for name, value in fixed}
        self._signed = {name: value for name, value in self._signed.items() if name not in _UNSIGNED}
        self._request = f"POST\n{_canonical_path(path)}\n{_canonical_query(query)}\n"
        self._epoch_s = -1
        self._day = ""
        self._key = b""
        self._hashes: dict[int, tuple[bytes, bytes]] = {}
        self._remembered_bytes, self._remember_bytes = 0, remember_bytes

    @property
    def remembered(self) -> int:
        """How many bodies' hashes are kept."""
        return len(self._hashes)

    def head(self, body: bytes, epoch_s: int) -> bytes:
        """Everything of the request before its body, signed for this second."""
        if epoch_s != self._epoch_s:
            self._roll(epoch_s)
        size = len(body)
        canonical = self._canonical.copy()
        if size <= _LIGHT_BYTES:
            canonical.update(_light(body).hexdigest().encode())
        elif size < _REMEMBERED_FROM_BYTES:
            canonical.update(sha256(body).hexdigest().encode())
        else:
            canonical.update(self._hash_of(body))
        inner = self._inner.copy()
        inner.update(canonical.hexdigest().encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        signature: bytes = outer.hexdigest().encode()
        return self._before + signature + b"\r\nContent-Length: %d\r\n\r\n" % size

    def _roll(self, epoch_s: int) -> None:
        """Prepare what all requests of one second share."""
        now = datetime.fromtimestamp(epoch_s, UTC)
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        day = stamp[:8]
        region, service = self._scope
        if day != self._day:
            key = signing_key(self._credentials.secret_key, day, region, service).ljust(_BLOCK_BYTES, b"\0")
            self._day, self._key = day, key
            self._outer = _light(key.translate(_OUTER))
        signed = sorted([*self._signed.items(), ("x-amz-date", stamp)])
        names = ";".join(name for name, _ in signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed)
        scope = f"{day}/{region}/{service}/aws4_request"
        self._canonical = _light(f"{self._request}{lines}\n{names}\n".encode())
        self._inner = _light(self._key.translate(_INNER))
        self._inner.update(f"{_ALGORITHM}\n{stamp}\n{scope}\n".encode())
        self._before = (
            self._start
            + (
                f"X-Amz-Date: {stamp}\r\nAuthorization: {_ALGORITHM} "
                f"Credential={self._credentials.access_key}/{scope}, SignedHeaders={names}, Signature="
            ).encode()
        )
        self._epoch_s = epoch_s

    def _hash_of(self, body: bytes) -> bytes:
        """Hex SHA-256 of a large body, computed once per object as long as the set of bodies is not too large."""
        known = self._hashes.get(id(body))
        # The entry holds the body, so its id cannot be another object's while the entry lives.
        if known is not None and known[0] is body:
            return known[1]
        digest = sha256(body).hexdigest().encode()
        self._remembered_bytes += len(body)
        if self._remembered_bytes > self._remember_bytes:
            self._hashes.clear()
            self._remembered_bytes = len(body)
        self._hashes[id(body)] = (body, digest)
        return digest


def _canonical_path(path: str) -> str:
    """Dot segments and empty segments resolved, then percent-encoded (a second time: S3 alone does not do that)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    last = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + last, safe="/~")


def _canonical_query(query: str) -> str:
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    return "&".join(f"{name}={value}" for name, value in pairs)
