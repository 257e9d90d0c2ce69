"""One server is one region: whatever region a request is signed for, every part answers as the server's own.

Jobs, logs, metrics, running endpoints and the fallback's models and endpoints are all found by name; moto alone keeps
its things by the region in the signature. So that is replaced before anybody reads it. Signatures are not checked here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from loadtest.emulator.protocol import operation_name
from loadtest.jobs.arn import partition_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["OneRegion"]

_log = logging.getLogger(__name__)

_FIRST = "us-east-1"
_NOBODY = "unsigned/20200101"
_NAMED_REGIONS = 20  # of which the log says that they are answered as this one

# (before, region, after) of a credential scope: in the Authorization header, and in the query of a presigned URL.
_IN_HEADER = re.compile(
    r"(Credential=[^/,\s]{1,256}/[0-9]{8}/)([^/,\s]{1,64})(/(?P<service>[^/,\s]{1,64})/aws4_request)"
)
_IN_QUERY = re.compile(
    r"(X-Amz-Credential=[^/&%]{1,256}(?:/|%2F)[0-9]{8}(?:/|%2F))([^/&%]{1,64})"
    r"((?:/|%2F)(?P<service>[^/&%]{1,64})(?:/|%2F)aws4_request)",
    re.IGNORECASE,
)
_IN_HOST = re.compile(r"(\.)([a-z]{2}(?:-[a-z]+)+-[0-9])(\.(?:amazonaws\.com|api\.aws))", re.IGNORECASE)
_IN_AGENT = re.compile(r"\bregion/[a-z0-9-]+")  # which moto reads first


class OneRegion:
    """`application` for requests of any region. region: the server's."""

    def __init__(self, application: WSGIApplication, region: str) -> None:
        self._application = application
        self._region = region
        self._named = {region}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # What is signed in a way that nobody reads is left to whoever refuses it.
        signed, service = bool(environ.get("HTTP_AUTHORIZATION")), ""
        for name, pattern in (
            ("HTTP_AUTHORIZATION", _IN_HEADER),
            ("QUERY_STRING", _IN_QUERY),
            ("REQUEST_URI", _IN_QUERY),
        ):
            scope = pattern.search(environ.get(name, ""))
            if scope is not None:
                signed, service = True, scope["service"].lower()
                environ[name] = pattern.sub(self._home, environ[name])
        if not signed and operation_name(environ.get("HTTP_X_AMZ_TARGET", "")) is not None:
            # Its target says it all; moto asks the signature alone.
            scope_of = f"{_NOBODY}/{self._region}/sagemaker/aws4_request"
            environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope_of}, SignedHeaders=host, Signature=0"
        if service != "s3":  # a bucket's name is good everywhere, and its host names its region
            environ["HTTP_HOST"] = _IN_HOST.sub(rf"\g<1>{self._region}\g<3>", environ.get("HTTP_HOST", ""))
        agent = _IN_AGENT.sub("", environ.get("HTTP_USER_AGENT", ""))
        environ["HTTP_USER_AGENT"] = agent if signed else f"{agent} region/{self._region}"
        return self._application(environ, start_response)

    def _home(self, scope: re.Match[str]) -> str:
        region, here = scope[2], self._region
        if scope["service"].lower() == "s3":
            # CreateBucket compares the region with LocationConstraint; a partition has its own buckets.
            if partition_of(region) == partition_of(here):
                return scope[0]
            here = _FIRST if partition_of(here) == partition_of(_FIRST) else here
        elif region not in self._named and len(self._named) <= _NAMED_REGIONS:
            self._named.add(region)
            _log.info("requests for %s are answered as %s: one server is one region", region[:40], here)
        return f"{scope[1]}{here}{scope[3]}"
