"""boto3 clients whose requests are answered by a WSGI application in this process: AWS's own API, no socket.

botocore's `before-send` event may return a response in place of sending the request; moto's own mocks use the same
door. So the emulator reads models, model packages and payloads and writes logs and metrics by documented calls, and
the same code serves for moto in process and for `--upstream`.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

from loadtest.jobs.arn import partition_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ["InProcessClients"]

# Placeholders, so that no credentials of the user are looked up, used or logged.
_KEY_ID, _SECRET = "loadtest", "loadtest"
# botocore's (name in the file, variables, default, conversion) of what says where configuration is.
_NO_CONFIGURATION: dict[str, tuple[Any, Any, Any, Any]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@lru_cache(maxsize=1)
def _descriptions() -> Any:
    """Where the services are described, each read once in this process: SageMaker's has 2 MB."""
    from botocore.loaders import create_loader

    return create_loader()


class InProcessClients:
    """boto3 clients on a WSGI application, one per service, made on first use; safe to use from many threads."""

    def __init__(self, application: WSGIApplication, *, region: str) -> None:
        self._application = application
        self._region = region
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def arn_here(self, arn: str) -> str:
        """The ARN as it is known here: whoever made it for another region means this one. Anything else unchanged."""
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn" or not parts[3]:
            return arn
        return ":".join(("arn", partition_of(self._region), parts[2], self._region, *parts[4:]))

    def client(self, service: str) -> Any:
        """The client of a service (`s3`, `logs`, `cloudwatch`, `sagemaker`)."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        import boto3
        import botocore.session
        from botocore.config import Config

        if self._session is None:
            # Neither the user's AWS_PROFILE nor their configuration files have a say here.
            of_nobody = botocore.session.Session(session_vars=_NO_CONFIGURATION)
            of_nobody.register_component("data_loader", _descriptions())
            self._session = boto3.Session(
                aws_access_key_id=_KEY_ID,
                aws_secret_access_key=_SECRET,
                region_name=self._region,
                botocore_session=of_nobody,
            )
        # An explicit endpoint_url, because AWS_ENDPOINT_URL in our own environment may well point to this server.
        client = self._session.client(
            service,
            endpoint_url="http://127.0.0.1",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                disable_request_compression=True,  # nothing is sent anywhere
            ),
        )
        client.meta.events.register("before-send", self._answer)
        return client

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        heard: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
            heard[:] = [int(status.split(" ", 1)[0]), headers]
            return body.append

        body: list[bytes] = []
        pieces = self._application(_environ(request), start_response)
        try:
            body.extend(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        status, headers = heard
        kept: Any = HeadersDict(headers)
        return AWSResponse(request.url, status, kept, _Raw(b"".join(body)))


class _Raw(io.BytesIO):
    """What botocore expects of a urllib3 response."""

    def stream(self, amt: int = 65536, decode_content: bool | None = None) -> Any:
        while piece := self.read(amt):
            yield piece


def _environ(request: AWSPreparedRequest) -> WSGIEnvironment:
    url = urlsplit(request.url)
    data = _bytes(request.body)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path or "/", "latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": (url.path or "/") + (f"?{url.query}" if url.query else ""),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(data)),
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(data),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, raw in request.headers.items():
        value = raw.decode("latin-1") if isinstance(raw, bytes) else str(raw)
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = value
    return environ


def _bytes(body: Any) -> bytes:
    if hasattr(body, "read"):
        body = body.read()
    return body.encode("utf-8") if isinstance(body, str) else bytes(body or b"")
