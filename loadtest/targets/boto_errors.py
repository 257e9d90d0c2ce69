"""What an exception out of boto3 means: the kind of outcome, the HTTP status and the detail.

botocore wraps urllib3's exceptions, which wrap http.client's and the kernel's: what happened stands at the bottom.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

import botocore.eventstream
import botocore.exceptions as aws
from botocore.parsers import ResponseParserError

from loadtest.core.record import Kind
from loadtest.targets.classify import classify, classify_event, error_of

__all__ = ["classify_exception"]

_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL))
# From the most telling to the least; a row decides if any exception of the chain is of its type.
_CAUSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Kind, str], ...] = (
    (aws.ConnectTimeoutError, Kind.CONNECTION, "connect timeout"),
    (aws.ReadTimeoutError, Kind.TIMEOUT, "read timeout"),
    (aws.ProxyConnectionError, Kind.CONNECTION, "proxy"),
    (socket.gaierror, Kind.CONNECTION, "name not resolved"),
    (ssl.SSLCertVerificationError, Kind.CONNECTION, "certificate"),
    ((ssl.SSLError, aws.SSLError), Kind.CONNECTION, "tls"),
    (ConnectionRefusedError, Kind.CONNECTION, "refused"),
    (http.client.RemoteDisconnected, Kind.CONNECTION, "closed"),
    ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), Kind.CONNECTION, "reset"),
    ((http.client.IncompleteRead, aws.IncompleteReadError), Kind.MALFORMED, "truncated"),
    (botocore.eventstream.ParserError, Kind.MALFORMED, "event stream"),
    (http.client.HTTPException, Kind.MALFORMED, "http"),
    (ResponseParserError, Kind.MALFORMED, "error body"),
    ((aws.NoCredentialsError, aws.CredentialRetrievalError, aws.TokenRetrievalError), Kind.CLIENT_ERROR, "credentials"),
)


def classify_exception(problem: Exception) -> tuple[Kind, int, str]:
    """(kind, HTTP status or 0, detail) of what a call of InvokeEndpoint raised.

    An error answer goes by `classify`; refused, reset, closed, unreachable, unresolved, TLS and connect timeouts are
    CONNECTION; a read timeout is TIMEOUT; a truncated answer or one that is no HTTP is MALFORMED, and so is whatever
    else botocore stumbles over when it reads an answer, with the exception's name.
    """
    if isinstance(problem, aws.EventStreamError):
        # botocore drops a ModelStreamError's ErrorCode.
        kind, detail = classify_event(problem.response["Error"].get("Code"))
        return kind, 200, detail
    if isinstance(problem, aws.ClientError):
        return _answered(problem)
    chain = list(_chain(problem))
    for types, kind, detail in _CAUSES:
        if any(isinstance(cause, types) for cause in chain):
            return kind, 0, detail
    if any(isinstance(cause, OSError) and cause.errno in _UNREACHABLE for cause in chain):
        return Kind.CONNECTION, 0, "unreachable"
    if isinstance(problem, (aws.HTTPClientError, aws.ConnectionError)) and any(isinstance(c, OSError) for c in chain):
        return Kind.CONNECTION, 0, "connection"
    return Kind.MALFORMED, 0, type(chain[-1]).__name__


def _answered(problem: aws.ClientError) -> tuple[Kind, int, str]:
    answer = problem.response
    told = answer["ResponseMetadata"]
    status = told["HTTPStatusCode"]
    code: str | None = str(answer["Error"].get("Code", ""))
    if code in ("", str(status)):
        # botocore looks at no header of an error without a body or with an HTML one (_is_generic_error_response).
        code, _ = error_of(told["HTTPHeaders"], b"")
    original = answer.get("OriginalStatusCode")
    kind, detail = classify(status, code, original if isinstance(original, int) else None)
    return kind, status, detail


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """The exception and everything that it says caused it, each once, from the outside inwards."""
    seen: set[int] = set()
    ahead: list[object] = [problem]
    while ahead:
        here = ahead.pop(0)
        if not isinstance(here, BaseException) or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        ahead.extend(getattr(here, "kwargs", {}).values())
        ahead.extend((*here.args, getattr(here, "reason", None), here.__cause__, here.__context__))
