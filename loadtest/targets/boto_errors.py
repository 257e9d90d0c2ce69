"""What an exception out of boto3 means: the kind of outcome, the HTTP status and the detail.

botocore wraps urllib3's exceptions, which wrap http.client's and the kernel's: what happened stands at the bottom.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple

import botocore.eventstream
import botocore.exceptions as aws
from botocore.parsers import ResponseParserError

from loadtest.core.measure.outcome import Kind
from loadtest.targets.classify import classify, classify_event, error_of, original_status
from loadtest.targets.failures import UNNAMED, local_failure, socket_failure
from loadtest.targets.http.tls import tls_failure
from loadtest.targets.redirect import with_location

__all__ = ["Failure", "classify_exception", "keep_error_bodies"]


class Failure(NamedTuple):
    """What an exception of botocore says of an invocation. kind, detail: as in Outcome. status: HTTP status, 0 if the
    exception tells none. body_bytes: of the error.
    """

    kind: Kind
    detail: str
    status: int = 0
    body_bytes: int = 0


_TOLD = "loadtest"  # what _read_error found, beside the members of an error answer
# From the most telling to the least; a row decides if any exception of the chain is of its type. What failed of the
# socket is asked for between the two.
_Causes = tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Kind, str], ...]
_BEFORE: _Causes = (
    (aws.ConnectTimeoutError, Kind.CONNECTION, "connect timeout"),
    (aws.ReadTimeoutError, Kind.TIMEOUT, "read timeout"),
    (aws.ProxyConnectionError, Kind.CONNECTION, "proxy"),
    (socket.gaierror, Kind.CONNECTION, "name not resolved"),
    (ssl.SSLCertVerificationError, Kind.CONNECTION, "certificate"),
    ((ssl.SSLError, aws.SSLError), Kind.CONNECTION, "tls"),
    (http.client.RemoteDisconnected, Kind.CONNECTION, "closed"),
)
_AFTER: _Causes = (
    ((http.client.IncompleteRead, aws.IncompleteReadError), Kind.MALFORMED, "truncated"),
    (botocore.eventstream.ParserError, Kind.MALFORMED, "event stream"),
    (http.client.HTTPException, Kind.MALFORMED, "http"),
    (ResponseParserError, Kind.MALFORMED, "error body"),
    ((aws.NoCredentialsError, aws.CredentialRetrievalError, aws.TokenRetrievalError), Kind.CREDENTIALS, "expired"),
)


def classify_exception(problem: Exception) -> Failure:
    """What a call of InvokeEndpoint that raised `problem` has come to.

    An error answer goes by `classify`; refused, reset, closed, unreachable, unresolved, TLS and connect timeouts are
    CONNECTION; a read timeout is TIMEOUT; a truncated answer or one that is no HTTP is MALFORMED, and so is whatever
    else botocore stumbles over when it reads an answer, with the exception's name.
    """
    if isinstance(problem, aws.EventStreamError):
        # botocore drops a ModelStreamError's ErrorCode.
        return Failure(*classify_event(problem.response["Error"].get("Code")), 200)
    if isinstance(problem, aws.ClientError):
        return _answered(problem)
    chain = list(_chain(problem))
    sockets = [cause for cause in chain if isinstance(cause, OSError)]
    own = next(filter(None, map(local_failure, sockets)), None)
    if own is not None:
        return Failure(Kind.LOCAL, own)
    named = (told for told in map(socket_failure, sockets) if told[1] != UNNAMED)
    found = _caused(chain, _BEFORE) or next(named, None) or _caused(chain, _AFTER)
    if found is not None:
        return Failure(*found)
    return Failure(Kind.CONNECTION, UNNAMED) if sockets else Failure(Kind.MALFORMED, type(chain[-1]).__name__)


def _caused(chain: list[BaseException], rows: _Causes) -> tuple[Kind, str] | None:
    for types, kind, detail in rows:
        found = next((cause for cause in chain if isinstance(cause, types)), None)
        if found is not None:
            return kind, tls_failure(found) if isinstance(found, ssl.SSLError) else detail
    return None


def _answered(problem: aws.ClientError) -> Failure:
    answer = problem.response
    told = answer["ResponseMetadata"]
    status = told["HTTPStatusCode"]
    if _TOLD in answer:
        code, original, body_bytes = answer[_TOLD]
    else:  # a botocore of 1.34 or 1.35 may have no such event
        code, _ = error_of(told["HTTPHeaders"], b"")
        code = code or str(answer["Error"].get("Code", ""))
        original, body_bytes = original_status(answer.get("OriginalStatusCode")), 0
    kind, detail = classify(status, code, original)
    return Failure(kind, with_location(status, told["HTTPHeaders"], detail), status, body_bytes)


def keep_error_bodies(client: Any) -> None:
    """Read the error answers of a sagemaker-runtime client by `error_of`, before botocore does.

    botocore takes no Content-Encoding off and stumbles over a status that is no integer, and then even the code that
    is in a header is lost; of a body that is HTML it looks at no header.
    """
    client.meta.events.register("before-parse.sagemaker-runtime", _read_error)


def _read_error(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] >= 300:
        body: bytes = response_dict["body"]
        customized_response_dict[_TOLD] = (*error_of(response_dict["headers"], body), len(body))
        response_dict["body"] = b"{}"


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
