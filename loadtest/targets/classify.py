"""What an HTTP answer of the runtime API means: the kind of outcome, and what tells it apart in a table.

Sources: botocore's service model of sagemaker-runtime and its REST-JSON error parser; the API reference of
InvokeEndpoint. Pure functions; every target that speaks HTTP uses them, so that their outcomes agree. What failed
without an answer has its names in `failures`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from loadtest.core.measure.outcome import Kind

__all__ = ["THROTTLING_CODES", "classify", "classify_event", "decoded", "error_of", "original_status"]

# Codes by which AWS services say "too fast", whatever the status: 400 for ThrottlingException, 503 for SlowDown.
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestLimitExceededException",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

# Codes by which AWS says that it is the sender who is not welcome, or not known. Source: "Common errors" of the
# SageMaker API and of the API reference of STS.
CREDENTIALS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

# The credentials were good once: with newer ones the same request is.
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})

_OK = (Kind.OK, "")
# A code becomes a key of a counter that lives as long as the run: a hostile server must not make it grow at will.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_MAX_ERROR_BYTES = 1 << 20
# Where a body is no JSON because it is longer than what was kept of it. Inside of a text the quotes would be escaped.
_STATUS_MEMBER = re.compile(rb'(?<!\\)"OriginalStatusCode"\s{0,8}:\s{0,8}"?([0-9]{1,3})(?:\.0{1,8})?(?![0-9.eE])')
_CODE_MEMBER = re.compile(rb'(?<!\\)"(?:code|Code|__type)"\s{0,8}:\s{0,8}"([^"\\]{1,512})"')
# The service's own words for a ModelError, which come before the container's.
_STATUS_WORDS = re.compile(rb'(?<!\\)"[Mm]essage"\s{0,8}:\s{0,8}"Received (?:client|server) error \(([0-9]{3})\)')
_STATUS_TEXT = re.compile(r"([0-9]{1,3})(?:\.0{1,8})?", re.ASCII)
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_INFLATED_AT_ONCE = 4096


def classify(status: int, error_code: str | None, original_status: int | None = None) -> tuple[Kind, str]:
    """(kind, detail) of an answer with this HTTP status, error code and OriginalStatusCode; None: it gave none.

    2xx is OK with detail "". 424 or ModelError is MODEL_ERROR with detail "424/500" (the container's own status;
    "424" if it was not told). A throttling code or any 429 is THROTTLED: also ModelNotReadyException, by which the
    service refuses for now and asks to come again (its name stays visible in the detail). A 4xx with a code about who
    asks (AccessDeniedException, ExpiredTokenException, ...) is CREDENTIALS with the code. Other 4xx and 5xx are
    CLIENT_ERROR and SERVER_ERROR, detail is the code or else the status. Anything else (1xx as the last word, a
    redirect, which InvokeEndpoint does not have) is MALFORMED with the status.
    """
    if 200 <= status < 300:
        return _OK
    if status == 424 or error_code == "ModelError":
        return Kind.MODEL_ERROR, f"{status}" if original_status is None else f"{status}/{original_status}"
    detail = error_code or str(status)
    if status == 429 or error_code in THROTTLING_CODES:
        return Kind.THROTTLED, detail
    if 400 <= status < 500 and error_code in CREDENTIALS_CODES:
        return Kind.CREDENTIALS, detail
    if 400 <= status < 500:
        return Kind.CLIENT_ERROR, detail
    if 500 <= status < 600:
        return Kind.SERVER_ERROR, detail
    return Kind.MALFORMED, str(status)


def classify_event(exception_type: str | None, error_code: str | None = None) -> tuple[Kind, str]:
    """(kind, detail) of an answer that fails inside its event stream, after a status of 200.

    exception_type: `:exception-type` of the frame, or `:error-code` of an unmodelled error. error_code: ErrorCode of a
    ModelStreamError (ModelInvocationTimeExceeded, StreamBroken). ModelStreamError is MODEL_ERROR, a throttling code
    THROTTLED, the rest SERVER_ERROR; the detail is "ModelStreamError/StreamBroken", or the type alone.
    """
    name = _code(exception_type) or "stream"
    if name == "ModelStreamError":
        told = _code(error_code)
        return Kind.MODEL_ERROR, name if told is None else f"{name}/{told}"
    return (Kind.THROTTLED if name in THROTTLING_CODES else Kind.SERVER_ERROR), name


def error_of(headers: Mapping[str, str], body: bytes) -> tuple[str | None, int | None]:
    """(error code, OriginalStatusCode) of an error answer; None for what it does not tell. Never raises.

    The code is the header x-amzn-ErrorType (in any case), or else `code`, `Code` or `__type` of the JSON body, without
    a namespace before `#` and without what follows `:`. The body may be compressed (Content-Encoding), and of a long
    one the beginning and the end are enough.
    """
    body = decoded(headers, body)
    members = _members(body)
    told: list[Any] = [value for name, value in headers.items() if name.lower() == "x-amzn-errortype"]
    told += [members.get(name) for name in ("code", "Code", "__type")]
    code = next((clean for clean in map(_code, told) if clean is not None), None)
    return code, original_status(members.get("OriginalStatusCode"))


def decoded(headers: Mapping[str, str], body: bytes) -> bytes:
    """The body without its Content-Encoding (gzip, deflate), at most 1 MiB of it if it has one. Never raises: what
    cannot be decoded ends the result, and an encoding that is not known leaves the body as it is.
    """
    told = next((value for name, value in headers.items() if name.lower() == "content-encoding"), "")
    # Several encodings are listed in the order in which they were applied (RFC 9110, 8.4).
    for encoding in reversed(told.lower().split(",")[:4]):
        window_bits = _WINDOW_BITS.get(encoding.strip())
        if window_bits is not None:
            body = _inflated(body, window_bits)
    return body


def original_status(value: object) -> int | None:
    """OriginalStatusCode as a number, whatever a server writes it as (500, 500.0, "500"); None: it is no status."""
    if isinstance(value, str):
        match = _STATUS_TEXT.fullmatch(value)
        value = int(match[1]) if match else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 999:
        return value
    return None


def _inflated(body: bytes, window_bits: int) -> bytes:
    # RFC 9110 means zlib's format by "deflate"; some servers send it without its header.
    is_bare = window_bits == 47 and body[:1] != b"" and body[0] & 0x0F != 8
    inflater = zlib.decompressobj(-15 if is_bare else window_bits)
    pieces: list[bytes] = []
    room = _MAX_ERROR_BYTES
    try:
        # Piece by piece, because an error loses what it stands in.
        for at in range(0, len(body), _INFLATED_AT_ONCE):
            pieces.append(inflater.decompress(inflater.unconsumed_tail + body[at : at + _INFLATED_AT_ONCE], room))
            room -= len(pieces[-1])
            if room <= 0 or inflater.eof:
                break
    except zlib.error:
        pass
    return b"".join(pieces)


def _members(body: bytes) -> Mapping[str, Any]:
    if len(body) <= _MAX_ERROR_BYTES:
        try:
            members = json.loads(body)
        except (ValueError, RecursionError):
            pass
        else:
            return members if isinstance(members, dict) else {}
    return _glimpsed(body) if body.lstrip()[:1] == b"{" else {}


def _glimpsed(body: bytes) -> Mapping[str, Any]:
    """Members of an object that cannot be read as a whole."""
    code, status = _CODE_MEMBER.search(body), _STATUS_MEMBER.search(body) or _STATUS_WORDS.search(body)
    found = {"code": code, "OriginalStatusCode": status}
    return {name: match[1].decode("utf-8", "replace") for name, match in found.items() if match is not None}


def _code(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value <= 999 else ""
    if not isinstance(value, str):
        return None
    text = value.split(":", 1)[0].rsplit("#", 1)[-1].strip()
    return text if _CODE.fullmatch(text) else None
