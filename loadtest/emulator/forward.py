"""Passes one WSGI request on to another HTTP server and its answer back, body and all, as a stream.

Used for the data plane (to the mock endpoint of a name) and for `--upstream`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from loadtest.jobs.redact import redacted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["Forwarder", "Unreachable", "request_headers", "target_url"]

# RFC 9110 7.6.1: these speak of one connection, not of the message. The server adds its own Date and Server.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "date", "server"}
)
# What shows who the caller is: for AWS, or whoever stands for all of it, and not for an endpoint's own server.
_OF_THE_CALLER = frozenset({"authorization", "x-amz-security-token", "x-amz-date", "x-amz-content-sha256", "cookie"})
_CHUNK_BYTES = 65536


class Unreachable(Exception):
    """The other server did not answer."""


class Forwarder:
    """Keeps connections to other servers and forwards requests over them; safe to use from many threads.

    read_timeout_s: longest silence of the other server. InvokeEndpoint ends after 60 s, so 70 s is AWS's own advice.
    """

    def __init__(self, *, connections: int = 64, read_timeout_s: float = 70.0) -> None:
        timeout = urllib3.Timeout(connect=5.0, read=read_timeout_s)
        self._pool = urllib3.PoolManager(num_pools=64, maxsize=connections, block=False, retries=False, timeout=timeout)

    def __call__(
        self, url: str, environ: WSGIEnvironment, start_response: StartResponse, *, keep_host: bool = False
    ) -> Iterable[bytes]:
        """Send the request to `url` with its own method, headers and body. Raises Unreachable before any answer.

        keep_host: the Host header stays the client's, because it is signed and may name a bucket; so do signature and
        token, which are taken out for anybody else.
        """
        headers = request_headers(environ)
        if not keep_host:
            headers = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CALLER}
            headers.pop("Host", None)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else None
        try:
            response = self._pool.urlopen(
                environ["REQUEST_METHOD"],
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as problem:
            raise Unreachable(redacted(f"{url}: {problem}")) from problem
        kept = [(name, value) for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP]
        start_response(f"{response.status} {response.reason or 'Unknown'}", kept)
        return _Body(response)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._pool.clear()


class _Body:
    """The answer's body in pieces; gives the connection back, or drops it if the client left midway."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        # read1 gives what has arrived, so a streamed answer is passed on part by part.
        while piece := self._response.read1(_CHUNK_BYTES):
            yield piece

    def close(self) -> None:
        if self._response.closed:
            self._response.release_conn()
        else:
            self._response.close()


def request_headers(environ: WSGIEnvironment) -> dict[str, str]:
    """The request's headers by their usual names, without those of the connection."""
    headers = {
        name[5:].replace("_", "-").title(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def target_url(base: str, environ: WSGIEnvironment) -> str:
    """`base` with the request's own path and query, byte for byte as the client sent (and signed) them."""
    asked = urlsplit(environ["REQUEST_URI"])
    return base.rstrip("/") + (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
